//! INI inventories: every value has its place, and what is wrong says so. That they mean what they mean in
//! Ansible is tested beside Ansible itself.

use std::sync::Arc;

use crate::diagnostic::{Diagnostics, Source};
use crate::inventory::tree::Tree;
use crate::inventory::{Keyring, sources};
use crate::names::HostName;

fn read(text: &str) -> (Tree, Diagnostics) {
    let source = Arc::new(Source { name: "hosts".into(), text: text.into() });
    let (mut tree, mut problems) = (Tree::default(), Diagnostics::default());
    sources::text(&source, "", (&Keyring::default(), &mut tree), &mut problems);
    tree.settle();
    (tree, problems)
}

fn error(text: &str) -> String {
    read(text).1.to_string()
}

#[test]
fn every_value_knows_its_place() {
    let (tree, problems) = read("[web]\n  h1  a=5 b=\"x y\" # why\n[web:vars]\n port =  8000\n");
    assert_eq!(problems, Diagnostics::default());
    let host = &tree.hosts[&HostName::new("h1").unwrap()];
    assert_eq!((host.origin.line, host.origin.column), (2, 3));
    let place = |node: &crate::inventory::Node| (node.origin.line, node.origin.column, node.origin.length);
    assert_eq!(place(&host.vars["a"]), (2, 9, 1));
    assert_eq!(place(&host.vars["b"]), (2, 13, 5));
    assert_eq!(place(&tree.groups["web"].vars["port"]), (4, 10, 4));
}

#[test]
fn what_is_wrong_says_so_all_at_once() {
    assert_eq!(
        error(
            "[web]\nh1 word\nh[3:1]\n[a b]\n[web:varz]\nh2 a='x\n[web:vars]\nnothing\n[web:children]\na b\n"
        ),
        "error: expected key=value, found `word`
 --> hosts:2:4
  |
2 | h1 word
  |    ^^^^
  hint: HOST key=value key=value; a value with blanks goes into quotes

error: the range [3:1] ends before it begins
 --> hosts:3:1
  |
3 | h[3:1]
  | ^^^^^^
  hint: as in [1:9], [01:10:3] or [a:f]

error: this is no head of a section
 --> hosts:4:1
  |
4 | [a b]
  | ^^^^^
  hint: [GROUP], [GROUP:children] or [GROUP:vars], without spaces

error: `varz` is no kind of section
 --> hosts:5:1
  |
5 | [web:varz]
  | ^^^^^^^^^^
  hint: [web] has hosts, [web:children] groups, [web:vars] variables

error: the quote that is opened here is never closed
 --> hosts:6:6
  |
6 | h2 a='x
  |      ^
  hint: close it, or put the whole value into quotes

error: expected key=value
 --> hosts:8:1
  |
8 | nothing
  | ^^^^^^^
  hint: below [GROUP:vars] stands one per line

error: expected the name of a group, and nothing else on its line
 --> hosts:10:1
   |
10 | a b
   | ^^^
  hint: below [GROUP:children] stands one group per line"
            .replace(" --> hosts:10:1", "  --> hosts:10:1")
    );
}

#[test]
fn a_group_must_be_declared_somewhere() {
    assert_eq!(
        error("[site:children]\nweb # all of them\n[db:vars]\nx=1\n[h]\n"),
        "error: there is no group `db` to have these variables
 --> hosts:3:1
  |
3 | [db:vars]
  | ^^^^^^^^^
  hint: declare it with [db]

error: the group `web` is declared nowhere
 --> hosts:2:1
  |
2 | web # all of them
  | ^^^^^^^^^^^^^^^^^
  hint: declare it, here or in a source before, with [web]"
    );
    assert!(
        error("[a:children]\nb\n[b:children]\na\n")
            .starts_with("error: the group `a` contains itself: a → b → a\n")
    );
}

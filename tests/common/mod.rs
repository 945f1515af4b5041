//! What tests of the program share: how two texts differ.

/// The lines of two texts that differ, with three equal ones around; `-` is what was expected.
pub(crate) fn diff(expected: &str, actual: &str) -> String {
    let (old, new) = (lines(expected), lines(actual));
    let marked = marked(&old, &new);
    let near = |i: usize| {
        let around = i.saturating_sub(3)..(i + 4).min(marked.len());
        marked[around].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut out = String::new();
    for (i, (mark, line)) in marked.iter().enumerate().filter(|(i, _)| near(*i)) {
        if i > 0 && !near(i - 1) {
            out += "…\n";
        }
        out += &format!("{mark}{line}\n");
    }
    out
}

/// Lines with their ends, so that a missing one shows.
fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n')
        .map(|line| {
            line.strip_suffix('\n').map_or(format!("{line} (no line break at the end)"), str::to_owned)
        })
        .collect()
}

/// Every line with `-`, `+` or a blank: the longest common part stays.
fn marked<'a>(old: &'a [String], new: &'a [String]) -> Vec<(char, &'a str)> {
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, vec![]);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            out.push((' ', old[i].as_str()));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            out.push(('-', old[i].as_str()));
            i += 1;
        } else {
            out.push(('+', new[j].as_str()));
            j += 1;
        }
    }
    out
}

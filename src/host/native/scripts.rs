//! What is run on a host to ask and to tell its service manager, as fixed scripts for any POSIX shell.
//! Names come as arguments and units by stdin; nothing is spliced into a script.

/// systemd's part of what the scripts call. Root's services are the system's, everybody else's are their own manager's.
macro_rules! systemd {
    () => {
        r#"
units=$HOME/.config/systemd/user ending=service scope=--user
if [ -w /etc/systemd/system ]; then units=/etc/systemd/system scope=--system; fi
files() { stat -c 'file %i %Y %n' "$@"; }
inode() { stat -c %i "$1"; }
manager() {
  if [ -d /run/systemd/system ]; then echo "manager ${scope#--}"; fi
  me=${LOGNAME:-${USER:-$(id -un)}}
  printf 'user %s\n' "$me"
  if [ -e "/var/lib/systemd/linger/$me" ]; then echo lingers; fi
  # Nobody sees into another's.
  for socket in /run/user/*/systemd/private; do
    if [ -S "$socket" ]; then echo runs; fi
  done
}
ctl() {
  if [ $scope = --user ] && [ -z "${XDG_RUNTIME_DIR:-}" ]; then
    XDG_RUNTIME_DIR=/run/user/$(id -u); export XDG_RUNTIME_DIR
  fi
  LC_ALL=C TZ=UTC systemctl $scope "$@"
}
shown() {
  for shown; do shift; set -- "$@" "$shown.service"; done
  ctl show -p Id -p LoadState -p ActiveState -p SubState -p Result -p NRestarts -p ExecMainStatus \
    -p ExecMainStartTimestamp -p UnitFileState -p NeedDaemonReload "$@" 2>/dev/null
}
learn() { ctl daemon-reload; }
prepare() { :; }
stop() { ctl stop "$name.service" || { learn; ctl stop "$name.service"; }; }
forget() { learn; ctl reset-failed "$name.service" 2>/dev/null || :; }
begin() {
  if grep -q '^\[Install\]' "$here"; then ctl enable --quiet "$name.service"; fi
  ctl reset-failed "$name.service" 2>/dev/null || :
  ctl start "$name.service" || {
    journalctl ${scope#--system} -u "$name.service" -n 5 -o cat --no-pager >&2 2>/dev/null || :
    exit 1
  }
}
leave() { ctl disable --quiet "$name.service"; }
clean() { :; }
log() { journalctl ${scope#--system} -u "$1.service" --since "@$2" -n "$3" -o cat --no-pager --quiet; }
follow() { exec journalctl ${scope#--system} -u "$1.service" --since "@$2" -n 50 -o cat --no-pager --quiet -f; }
"#
    };
}

/// What both service managers can do, under the same names. Only a Mac has that file.
macro_rules! service_manager {
    () => {
        concat!(
            "if [ -x /bin/launchctl ]; then",
            crate::host::native::launchd::launchd!(),
            "else",
            crate::host::native::scripts::systemd!(),
            "fi\n"
        )
    };
}

/// `find_program NAME` leaves the path of a program in `$found`, or nothing. An ssh session that is not interactive has no
/// `PATH` of Homebrew's.
macro_rules! find_program {
    () => {
        r#"
find_program() {
  found=
  case $1 in
    /*) found=$1 ;;
    "~/"*) found=$HOME/${1#??} ;;
    *)
      for place in "$HOME/.local/bin" /opt/homebrew/bin /usr/local/bin /usr/bin /bin /home/linuxbrew/.linuxbrew/bin /snap/bin; do
        if [ -x "$place/$1" ]; then found=$place/$1; break; fi
      done ;;
  esac
  if [ ! -x "$found" ] || [ -d "$found" ]; then found=; fi
}
"#
    };
}

/// Part of the script that reads a host's facts: `$4` is the project, `$5` is `yes` where services of the host's own
/// are wanted, all further arguments are the programs they need. Without such a service, and none left of an earlier
/// deploy, it starts no process.
macro_rules! native_facts {
    () => {
        concat!(
            crate::host::native::scripts::service_manager!(),
            crate::host::native::scripts::find_program!(),
            r#"
echo '#native'
wanted=$5
shift 5
if [ "$wanted" = yes ]; then manager; fi
for program; do
  find_program "$program"
  printf 'program %s\n' "$found"
done
set --
for file in "$units/$project"-*-1.$ending "$units/$project"-*-1.$ending.previous; do
  if [ -f "$file" ]; then set -- "$@" "$file"; fi
done
if [ $# -gt 0 ]; then
  files "$@"
  awk '{ print "|" FILENAME "|" $0 }' "$@"
  for file; do
    shift
    case $file in
      *.previous) ;;
      *) file=${file##*/}; set -- "$@" "${file%.$ending}" ;;
    esac
  done
  if [ $# -gt 0 ]; then shown "$@"; fi
fi
"#
        )
    };
}

/// Finds the file of the unit `$1` that has the inode `$2`: where it is installed, or where it was set aside.
macro_rules! locate {
    () => {
        r#"
name=$1 want=$2
here=$units/$name.$ending aside=$units/$name.$ending.previous at=
for file in "$here" "$aside"; do
  if [ -f "$file" ] && [ "$(inode "$file")" = "$want" ]; then at=$file; fi
done
if [ -z "$want" ] && [ -f "$here" ]; then at=$here; fi
[ -n "$at" ] || exit 44
"#
    };
}

pub(in crate::host) use {find_program, native_facts, service_manager, systemd};

/// Tells of one unit.
pub(super) const INSPECT: &str = concat!(
    "echo '#homelab'\n",
    service_manager!(),
    locate!(),
    r#"
files "$at"
if [ "$at" = "$here" ]; then shown "$name"; fi
exit 0
"#
);

/// Installs the unit `$1`, which comes by stdin and is `$2` bytes long, and says its inode.
pub(super) const CREATE: &str = concat!(
    "echo '#homelab'\n",
    service_manager!(),
    r#"
set -eu
umask 022
here=$units/$1.$ending
[ ! -e "$here" ] || exit 45
mkdir -p -- "$units"
temporary=$(mktemp "$units/.homelab.XXXXXXXX")
trap 'rm -f -- "$temporary"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$temporary"
if [ "$(($(wc -c <"$temporary")))" -ne "$2" ]; then echo "the unit did not arrive whole" >&2; exit 1; fi
chmod 644 "$temporary"
mv -- "$temporary" "$here"
# What systemd does not learn of must not lie there.
trap 'rm -f -- "$here"' EXIT
learn
trap - EXIT
inode "$here"
"#
);

/// Does `$3` to the unit `$1` with the inode `$2`. Done twice, each is as done once. The `.previous` of a name is no
/// unit to a service manager. What cannot start says why in its log.
pub(super) const ACT: &str = concat!(
    "echo '#homelab'\n",
    service_manager!(),
    locate!(),
    r#"
verb=$3
set -eu
case $verb in
  start) [ "$at" = "$here" ] || exit 44; begin ;;
  restart) [ "$at" = "$here" ] || exit 44; stop; begin ;;
  stop) [ "$at" = "$aside" ] || stop ;;
  aside)
    if [ "$at" = "$here" ]; then
      stop
      [ ! -e "$aside" ] || exit 45
      leave
      mv -- "$here" "$aside"
      forget
    fi ;;
  back)
    if [ "$at" = "$aside" ]; then
      [ ! -e "$here" ] || exit 45
      mv -- "$aside" "$here"
      learn
    fi
    begin ;;
  remove)
    if [ "$at" = "$here" ]; then
      stop
      leave
      rm -f -- "$here"
      forget
    else
      rm -f -- "$aside"
    fi
    clean ;;
esac
"#
);

/// The log of the unit `$1`: since `$2`, in Unix seconds, the last `$3` lines.
pub(super) const LOGS: &str = concat!("echo '#homelab'\n", service_manager!(), r#"log "$1" "$2" "$3""#);

/// The same with every further line, until stdin is closed.
pub(super) const FOLLOW: &str = concat!(
    "echo '#homelab'\n",
    service_manager!(),
    r#"
follow "$1" "$2" &
child=$!
read -r _
kill $child 2>/dev/null
"#
);

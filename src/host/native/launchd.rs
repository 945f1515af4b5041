//! What the scripts of a host's own services are made of on a Mac: launchctl(1) for any POSIX shell, with the tools that
//! macOS has. Which script does what is said in [`super::scripts`].

/// Before the time in the line with which a run begins in the log of a service (`desired/plist`).
pub(super) const MARK: &str = "#homelab run ";

/// launchd's part of what the scripts call. It ends a service in its own time: until it has, nothing of that name can
/// come. What is disabled is not loaded when the Mac starts, nor by anybody before it is enabled again.
macro_rules! launchd {
    () => {
        r##"
units=$HOME/Library/LaunchAgents ending=plist domain=gui/${UID:-$(id -u)} logs=$HOME/Library/Logs/homelab
if [ -w /Library/LaunchDaemons ]; then
  units=/Library/LaunchDaemons domain=system logs=/Library/Logs/homelab
fi
files() { stat -f 'file %i %m %N' "$@"; }
inode() { stat -f %i "$1"; }
manager() {
  if [ $domain = system ]; then echo 'manager daemon'; else echo 'manager agent'; fi
  me=${LOGNAME:-${USER:-$(id -un)}}
  printf 'user %s\n' "$me"
  if [ "$(defaults read /Library/Preferences/com.apple.loginwindow autoLoginUser 2>/dev/null)" = "$me" ]; then
    echo lingers
  fi
  if launchctl print $domain >/dev/null 2>&1; then echo runs; fi
}
loaded() { launchctl print "$domain/$1" 2>/dev/null; }
process() { awk '/^\tpid = [0-9]+$/ { print $3; exit }'; }
shown() {
  disabled=$(launchctl print-disabled $domain 2>/dev/null)
  for shown; do
    said=$(loaded "$shown") || continue
    printf 'Id=%s\n%s\n' "$shown" "$said" | awk -F ' = ' '
      /^Id=/ { print }
      /^\t(state|runs|last exit code|last terminating signal) = / && !told[$1]++ { print substr($1, 2) "=" $2 }'
    pid=$(printf '%s\n' "$said" | process)
    if [ -n "$pid" ]; then printf 'started=%s\n' "$(LC_ALL=C TZ=UTC ps -o lstart= -p "$pid")"; fi
    case $disabled in
      *"\"$shown\" => disabled"* | *"\"$shown\" => true"*) echo 'enabled=no' ;;
    esac
    echo
  done
}
learn() { :; }
forget() { :; }
prepare() {
  (umask 022; mkdir -p -- "$logs")
  (umask 077; : >>"$logs/$1.log")
}
stop() {
  said=$(loaded "$name") || return 0
  left=$(printf '%s\n' "$said" | awk '/^\texit timeout = [0-9]+$/ { print $4; exit }')
  left=$((${left:-20} * 10 + 300))
  launchctl bootout "$domain/$name" || :
  while loaded "$name" >/dev/null; do
    if [ $left -le 0 ]; then echo "launchd does not end $name" >&2; return 1; fi
    left=$((left - 1))
    sleep 0.1
  done
}
begin() {
  launchctl enable "$domain/$name" || exit 1
  if said=$(loaded "$name"); then
    if [ -n "$(printf '%s\n' "$said" | process)" ]; then return 0; fi
    stop
  fi
  prepare "$name"
  # It may still be busy with the one before.
  launchctl bootstrap $domain "$here" 2>/dev/null ||
    { sleep 1; launchctl bootstrap $domain "$here" || exit 1; }
  if ! grep -q '<key>AtBoot</key>' "$here"; then launchctl disable "$domain/$name"; fi
}
leave() { launchctl enable "$domain/$name"; }
clean() {
  if [ ! -e "$here" ] && [ ! -e "$aside" ]; then
    rm -f -- "$logs/$name.log" "$logs/$name.log.old"
    rmdir -- "$logs" 2>/dev/null || :
  fi
}
past() {
  awk -v since="$1" '/^#homelab run [0-9]+$/ { on = $3 >= since; next } on' | tail -n "$2"
}
log() { cat "$logs/$1.log.old" "$logs/$1.log" 2>/dev/null | past "$2" "$3"; }
follow() {
  size=$(wc -c 2>/dev/null <"$logs/$1.log") || size=0
  { cat "$logs/$1.log.old"; head -c "$((size))" "$logs/$1.log"; } 2>/dev/null | past "$2" 50
  exec tail -c "+$((size + 1))" -F "$logs/$1.log" 2>/dev/null
}
"##
    };
}
pub(in crate::host) use launchd;

# One box, from its first boot hook to the removal of it: run by tests/real_hooks.rs with
# BusyBox, in a root of its own. The vendor's part is played by the file /vendor, which has:
#   volume, home     where the data volume is mounted, and the folder of sup on it
#   hook             sets the hook
#   boot, halt       what the box does when it starts and ends
#   late             "yes" where the volume may come after the hook has been called
set -eu
here=$1 ram=$2
export PATH=/vendor-bin:/bin:/sbin:/usr/bin
. /vendor
sup=$home/sup

fail() {
    echo "$here: $*" >&2
    exec 1>&2
    "$sup" status || :
    cat /run/sup/sup.log || :
    ps
    exit 1
}
tell() { echo "-- $*"; }
# Waits for a command to succeed, for 20 seconds at most.
await() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || fail "waited in vain for: $*"
        usleep 100000
    done
}
is_gone() { ! ps | grep -q "[s]up run --config"; }
pid() { "$sup" status | sed -n '1s/.*, pid \([0-9]*\),.*/\1/p'; }
# Nothing but a sup and its child, and this.
is_quiet() { [ "$(ps | grep -Evc 'PID|/story|sup run --config|sleep 86400|restarter|ps$|grep|[]]$')" = 0 ]; }
is_up_once() {
    await "$sup" status
    await is_quiet
    [ "$(ps | grep -c '[s]leep 86400')" = 1 ] || fail "not one child: $1"
    [ "$(ps | grep -c '[s]up run --config')" = 1 ] || fail "not one sup: $1"
}
doctor() {
    flash mount_flash_config
    "$sup" doctor || :
    flash umount_flash_config
}
flash() { [ "$here" != qnap ] || /etc/init.d/init_disk.sh "$1"; }
is_hooked() { ! doctor | grep -q '^fix *hook'; }

# All files that there are, but for what is ours and the vendor's.
files() {
    find / "$volume" -xdev \( -path /proc -o -path /dev -o -path /volume -o -path '/lib*' -o -path '/usr/lib*' \) \
        -prune -o -print |
        grep -Ev '^/(run/[a-z]*|recipe|named|removal|files|tmp/nasconfig_tmp|middleware)$' | sort -u
}
files >/files

tell "the box is told by its signs: its recipe is the one without a name"
"$sup" recipe >/recipe
"$sup" recipe "$here" >/named
cmp /recipe /named || fail "taken for another box"
grep -q "$sup" /recipe || fail "another binary than $sup"

if [ -n "$ram" ]; then
    tell "from RAM, too, the recipe has the binary that stays"
    cp "$sup" /bin/sup
    /bin/sup recipe >/named
    cmp /recipe /named || fail "the hook would start what is lost"
    mv "$sup" "$sup.away"
    /bin/sup recipe 2>&1 >/dev/null | grep -q "^sup: there is no $sup yet" || fail "not told"
    mv "$sup.away" "$sup"
    rm -f /bin/sup

    tell "the doctor says when a root in RAM is full, and not before"
    ! "$sup" doctor | grep '^fix *root' || fail "it is not full"
    dd if=/dev/zero of=/full bs=65536 2>/dev/null || :
    "$sup" doctor | grep -q '^fix *root: it lies in RAM and is [0-9]*% full' || fail "it is full"
    rm /full
fi

if [ "$here" != truenas ]; then
    tell "without a hook the doctor says so"
    ! is_hooked || fail "a hook is seen where there is none"
fi

tell "by hand first, as in the README, then the hook, twice"
"$sup" run --detach
hook </dev/null
hook </dev/null
is_hooked || fail "the hook is not seen: $(doctor)"
is_up_once "hook set while sup runs"
halt
await is_gone

tell "a boot, a second call of the hook, and the hook set once more"
boot </dev/null
is_up_once "after boot"
first=$(pid)
boot </dev/null
hook </dev/null
is_up_once "after a second start"
[ "$(pid)" = "$first" ] || fail "a second start has made another sup"
halt
await is_gone

if [ "$late" = yes ]; then
    tell "the volume comes late"
    await umount "$volume"
    boot </dev/null
    is_gone || fail "up without its volume"
    mount -o bind /volume "$volume"
    is_up_once "after the volume has come"
    halt
    await is_gone
fi

tell "a stop by hand holds, until the next boot"
boot </dev/null
is_up_once "once more"
stop_by_hand
await is_gone
again
usleep 300000
is_gone || fail "it came back after a shutdown by hand"

tell "removal, as the recipe says it"
sed -n '/^# Remove/,$s/^#   //p' /recipe >/removal
removal </dev/null
left=$(grep -r 'sup:' /etc /usr/local/etc /opt/etc /boot/config /flash /var/spool /mnt/HD/HD_a2/Nas_Prog /middleware 2>/dev/null | head -n 3)
[ -z "$left" ] || fail "left behind: $left"
boot </dev/null
usleep 300000
is_gone || fail "it starts without a hook"
if [ "$here" != truenas ]; then
    ! is_hooked || fail "a hook is seen that has been removed"
fi

tell "every trace of it goes"
rm -rf "$home" /run/sup
mkdir "$home"
files >/named
gone=$(grep -v "^$home/" /files)
[ "$gone" = "$(cat /named)" ] || fail "not as it was: $(echo "$gone" | diff - /named)"
tell "all well"

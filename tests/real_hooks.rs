//! Every boot hook, set and removed as the README says, on boxes that are played: a root of
//! its own with BusyBox's shell, the vendor's programs, and a real sup on a data volume.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use common::faults::skipped;
use common::{SUP, at_once, old_kernel, run};
use tempfile::TempDir;

/// A kind of box.
struct Vendor {
    name: &'static str,
    /// Where its data volume is mounted, and the folder of sup there.
    volume: &'static str,
    folder: &'static str,
    /// How large its root is, where that is RAM.
    ram: &'static str,
    /// Files by which it is told, or that its firmware has.
    files: &'static [(&'static str, &'static str)],
    /// Its programs.
    programs: &'static [(&'static str, &'static str)],
    /// Its part of `tests/data/box.sh`.
    plays: &'static str,
}

/// What most of them do; `plays` may do otherwise.
const USUAL: &str = r#"
late=no
hook() { sh /recipe; }
halt() { kill -TERM "$(pid)"; }
stop_by_hand() { "$sup" shutdown; }
again() { :; }
removal() { sh -e /removal; }
"#;

/// Folders of scripts that are called with `start` and `stop`.
const SYSV: &str = r#"
each() { for script in $scripts; do [ ! -x "$script" ] || "$script" "$1"; done; }
boot() { each start; }
halt() { each stop; }
"#;

const VENDORS: &[Vendor] = &[
    Vendor {
        name: "qnap",
        volume: "share/CACHEDEV2_DATA",
        folder: "sup",
        ram: "160m",
        files: &[
            ("etc/config/uLinux.conf", "[Misc]\nAutorun = FALSE\n"),
            (
                "etc/config/def_share.info",
                "[SHARE_DEF]\ndefVolMP = /share/CACHEDEV2_DATA\n",
            ),
            ("flash/.sys_update_time", ""),
        ],
        programs: &[
            (
                "etc/init.d/init_disk.sh",
                "mkdir -p /tmp/nasconfig_tmp\n\
                 case $1 in\n\
                 mount_flash_config) mount -o bind /flash /tmp/nasconfig_tmp ;;\n\
                 umount_flash_config) umount /tmp/nasconfig_tmp ;;\n\
                 esac",
            ),
            (
                "sbin/setcfg",
                "printf '[%s]\\n%s = %s\\n' \"$@\" >/etc/config/uLinux.conf",
            ),
        ],
        plays: r#"
late=yes
boot() {
    grep -q 'Autorun = TRUE' /etc/config/uLinux.conf || return 0
    [ ! -x /flash/autorun.sh ] || sh /flash/autorun.sh
}
"#,
    },
    Vendor {
        name: "synology",
        volume: "volume2",
        folder: "@sup",
        ram: "",
        files: &[("etc/synoinfo.conf", ""), ("usr/local/etc/rc.d/x", "")],
        programs: &[],
        plays: "late=yes\nscripts='/usr/local/etc/rc.d/*.sh'",
    },
    Vendor {
        name: "asustor",
        volume: "volume1",
        folder: "sup",
        ram: "",
        files: &[("etc/nas.conf", ""), ("usr/local/etc/init.d/x", "")],
        programs: &[],
        plays: "late=yes\nscripts='/usr/local/etc/init.d/S*'",
    },
    Vendor {
        name: "entware",
        volume: "opt",
        folder: "sup",
        ram: "",
        files: &[],
        programs: &[],
        plays: r#"
scripts='/opt/etc/init.d/S*'
mkdir -p /opt/etc/init.d
: >>/opt/etc/init.d/rc.unslung
"#,
    },
    Vendor {
        name: "unraid",
        volume: "mnt/user/appdata",
        folder: "sup",
        ram: "160m",
        files: &[
            ("etc/unraid-version", ""),
            ("boot/config/go", "#!/bin/bash\n:\n"),
            ("usr/local/bin/x", ""),
        ],
        programs: &[],
        plays: r#"
late=yes
boot() { sh /boot/config/go; }
"#,
    },
    Vendor {
        name: "truenas",
        volume: "mnt/pool",
        folder: "sup",
        ram: "",
        files: &[],
        programs: &[(
            "usr/bin/midclt",
            "shift; case $1 in\n\
             *.create) printf '%s\\n' \"$2\" | tr -d '\\n' >>/middleware; echo >>/middleware ;;\n\
             *.query) cat /middleware ;;\n\
             *.delete) sed -i \"$2d\" /middleware ;;\n\
             esac",
        )],
        plays: r#"
: >>/middleware
each() { sed -n "/$1/s/.*\"command\": \"\(.*\)\"}.*/\1/p" /middleware | sh; }
boot() { each POSTINIT; }
halt() { each SHUTDOWN; }
# The last one first, for its lines are its numbers.
removal() { for id in 2 1; do sed "s/ID\$/$id/" /removal | sh -e; done; }
"#,
    },
    Vendor {
        name: "wd",
        volume: "mnt/HD/HD_a2",
        folder: "sup",
        ram: "",
        files: &[],
        programs: &[],
        plays: r#"
mkdir -p $volume/Nas_Prog
each() { for app in $volume/Nas_Prog/*; do [ ! -x $app/$1.sh ] || $app/$1.sh $app; done; }
boot() { each start; }
halt() { each stop; }
"#,
    },
    Vendor {
        name: "openwrt",
        volume: "opt",
        folder: "sup",
        ram: "",
        files: &[
            ("etc/openwrt_release", ""),
            ("etc/rc.d/x", ""),
            ("etc/init.d/x", ""),
        ],
        programs: &[(
            "etc/rc.common",
            r#"
procd_open_instance() { :; }
procd_set_param() { if [ "$1" = command ]; then shift; command=$*; fi; }
procd_close_instance() {
    if [ -f /run/procd ] && kill -0 "$(cat /run/procd)"; then return; fi
    $command </dev/null >/dev/null 2>&1 &
    echo $! >/run/procd
}
. "$1"
case $2 in
    enable) ln -sf ../init.d/sup /etc/rc.d/S${START}sup; ln -sf ../init.d/sup /etc/rc.d/K${STOP}sup ;;
    disable) rm -f /etc/rc.d/*sup ;;
    start) start_service ;;
    stop) if [ -f /run/procd ]; then kill -TERM "$(cat /run/procd)" || :; fi; rm -f /run/procd ;;
esac"#,
        )],
        plays: "scripts='/etc/rc.d/S*'\nstop_by_hand() { /etc/init.d/sup stop; }",
    },
    Vendor {
        name: "openrc",
        volume: "opt",
        folder: "sup",
        ram: "",
        files: &[("etc/runlevels/default/x", ""), ("etc/init.d/x", "")],
        programs: &[
            (
                "sbin/openrc-run",
                "ebegin() { :; }\neend() { return $1; }\n. \"$1\"; $2",
            ),
            (
                "sbin/rc-update",
                "case $1 in\n\
                 add) ln -sf /etc/init.d/$2 /etc/runlevels/$3/$2 ;;\n\
                 del) rm -f /etc/runlevels/$3/$2 ;;\n\
                 esac",
            ),
            (
                "sbin/rc-service",
                "if [ $2 = start ]; then [ ! -f /run/$1.on ] || exit 0; fi\n\
                 /etc/init.d/$1 $2 && rm -f /run/$1.on && if [ $2 = start ]; then : >/run/$1.on; fi",
            ),
        ],
        plays: r#"
boot() { [ ! -e /etc/runlevels/default/sup ] || rc-service sup start; }
halt() { rc-service sup stop; }
"#,
    },
    Vendor {
        name: "systemd",
        volume: "opt",
        folder: "sup",
        ram: "",
        files: &[
            ("run/systemd/system/x", ""),
            ("etc/systemd/system/multi-user.target.wants/x", ""),
        ],
        programs: &[
            (
                "bin/systemctl",
                r#"
unit=/etc/systemd/system/sup.service
link=/etc/systemd/system/multi-user.target.wants/sup.service
for last; do :; done
of_unit() { sed -n "s/^$1=//p" $unit; }
runs() { [ -s /run/unit ] && kill -0 "$(cat /run/unit)" 2>/dev/null; }
start() {
    if runs; then return; fi
    restart=$(of_unit Restart) command=$(of_unit ExecStart)
    export restart command
    restarter </dev/null >/dev/null 2>&1 &
    echo $! >/run/unit
}
stop() {
    if ! runs; then return; fi
    : >/run/stopping
    kill -TERM "$(cat /run/main)"
    while runs; do usleep 10000; done
    rm -f /run/stopping
}
case "$*" in
    'enable --now sup') ln -sf ../sup.service $link; start ;;
    'disable --now sup') rm -f $link; stop ;;
    'is-active --quiet sup') runs ;;
    'start sup') start ;;
    'stop sup') stop ;;
    daemon-reload) ;;
    *) exit 1 ;;
esac"#,
            ),
            // As systemd does it: five starts, unless it ended as the unit allows.
            (
                "bin/restarter",
                r#"
for time in 1 2 3 4 5; do
    $command &
    echo $! >/run/main
    wait $! && code=0 || code=$?
    [ ! -f /run/stopping ] || exit 0
    case $code,$restart in
        0,on-failure) exit 0 ;;
    esac
done"#,
            ),
        ],
        plays: r#"
boot() { [ ! -h /etc/systemd/system/multi-user.target.wants/sup.service ] || systemctl start sup; }
halt() { systemctl stop sup; }
"#,
    },
    Vendor {
        name: "sysv",
        volume: "opt",
        folder: "sup",
        ram: "",
        files: &[("etc/rc2.d/x", ""), ("etc/init.d/x", "")],
        programs: &[],
        plays: r#"
scripts='/etc/rc2.d/S*'
hook() { cp /recipe /etc/init.d/sup; chmod 755 /etc/init.d/sup; ln -sf ../init.d/sup /etc/rc2.d/S99sup; }
removal() { /etc/init.d/sup stop; rm -f /etc/init.d/sup /etc/rc2.d/S99sup; }
"#,
    },
    Vendor {
        name: "cron",
        volume: "opt",
        folder: "sup",
        ram: "",
        files: &[("var/spool/cron/crontabs/root", "0 4 * * * hwclock -s\n")],
        programs: &[(
            "bin/crontab",
            "case $1 in\n\
             -l) cat /var/spool/cron/crontabs/root ;;\n\
             *) cat >/run/new; mv /run/new /var/spool/cron/crontabs/root ;;\n\
             esac",
        )],
        plays: r#"
table() { sed -n "s|^$1 $home|$home|p" /var/spool/cron/crontabs/root | sh; }
boot() { table @reboot; }
again() { table '[0-9*][^/]*'; }
"#,
    },
];

/// A root with BusyBox, the vendor's files and programs, and sup on a volume.
fn build(vendor: &Vendor, root: &Path) {
    let file = |path: &str, text: &str, mode: u32| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for folder in [
        "bin",
        "sbin",
        "proc",
        "dev",
        "tmp",
        "run",
        "usr/bin",
        "usr/lib",
        "usr/lib64",
    ] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    for lib in ["lib", "lib64"] {
        match fs::read_link(Path::new("/").join(lib)) {
            Ok(to) => symlink(to, root.join(lib)).unwrap(),
            Err(_) => fs::create_dir_all(root.join(lib)).unwrap(),
        }
    }
    for (path, text) in vendor.files {
        file(path, text, 0o644);
    }
    for (path, text) in vendor.programs {
        file(path, &format!("#!/bin/sh\n{text}\n"), 0o755);
    }
    let on_volume = root.join("volume").join(vendor.folder);
    fs::create_dir_all(root.join(vendor.volume)).unwrap();
    fs::create_dir_all(&on_volume).unwrap();
    if fs::hard_link(SUP, on_volume.join("sup")).is_err() {
        common::copy_sup(&on_volume.join("sup"));
    }
    let config = "[child.a]\ncommand = [\"/bin/sleep\", \"86400\"]\n";
    fs::write(on_volume.join("sup.toml"), config).unwrap();
    let (volume, folder) = (vendor.volume, vendor.folder);
    let paths = format!("volume=/{volume}\nhome=/{volume}/{folder}\n");
    let plays = vendor.plays;
    let sysv = if plays.contains("scripts=") { SYSV } else { "" };
    file("vendor", &format!("{paths}{USUAL}{sysv}{plays}\n"), 0o644);
    file("story", include_str!("data/box.sh"), 0o644);
}

/// Mounts what it needs, and tells the story, in name spaces of its own: what is left over
/// ends with them.
const ENTER: &str = r#"
set -e
root=$1 volume=$2 name=$3 ram=$4
on_disk=$root/volume
if [ -n "$ram" ]; then
    mkdir "$root/ram"
    mount -t tmpfs -o "size=$ram" none "$root/ram"
    for entry in "$root"/*; do
        case $entry in
            */ram | */volume) ;;
            *) cp -a "$entry" "$root/ram/" ;;
        esac
    done
    root=$root/ram
    mkdir "$root/volume"
    mount --bind "$on_disk" "$root/volume"
fi
for lib in lib lib64 usr/lib usr/lib64; do
    if [ -d /$lib ] && [ ! -h /$lib ]; then mount --bind /$lib "$root/$lib"; fi
done
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind "$on_disk" "$root/$volume"
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in $(busybox --list); do
    [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
done
exec chroot "$root" /bin/busybox sh /story "$name" "$ram"
"#;

#[test]
fn each_hook_starts_sup_once_stops_it_and_leaves_nothing_behind() {
    let spaces = ["--mount", "--pid", "--fork", "--kill-child"];
    if Command::new("busybox").arg("true").output().is_err() {
        return skipped("a box needs BusyBox");
    }
    // Some containers let their root make name spaces, but not mount in them.
    let mounts = [
        "sh",
        "-c",
        "mount -t proc proc /proc && mount --bind /dev /dev",
    ];
    if run(Command::new("unshare").args(spaces).args(mounts)).code != 0 {
        return skipped("a root of its own needs root and its capabilities");
    }
    let story = |vendor: &'static Vendor| -> Box<dyn FnOnce() + Send> {
        Box::new(move || {
            // Beside the binary, so that it need not be copied.
            let root = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            build(vendor, root.path());
            let mut command = Command::new("unshare");
            command.args(spaces).args(["sh", "-c", ENTER, "sh"]);
            command
                .arg(root.path())
                .args([vendor.volume, vendor.name, vendor.ram]);
            if old_kernel::is_played() {
                old_kernel::play(&mut command);
            }
            let told = run(&mut command);
            assert_eq!(told.code, 0, "{}:\n{}\n{}", vendor.name, told.out, told.err);
        })
    };
    for some in VENDORS.chunks(6) {
        at_once(some.iter().map(story).collect());
    }
}

//! `sup doctor` and `sup recipe` on boxes that are played: trees of files as vendors lay them out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A file of a box, by its path.
type File = (&'static str, &'static str);

/// Instead of the text of a file: it, or a folder, is not there.
const GONE: &str = "(gone)";

const CONFIG: &str = "[child.a]\ncommand = [\"/bin/true\"]\n";

/// What every box has, unless a file of its own stands in for it.
const EVERY_BOX: &[File] = &[
    (
        "proc/sys/kernel/random/boot_id",
        "0b1e9d0c-53a7-4a0e-9a5e-2f7d4b8c1e6f\n",
    ),
    ("proc/sys/kernel/osrelease", "5.10.60\n"),
    ("proc/stat", "cpu 1 2 3\nbtime 1760000000\n"),
    ("proc/uptime", "86400.12 300.00\n"),
    (
        "proc/meminfo",
        "MemTotal: 1024000 kB\nMemFree: 100000 kB\nMemAvailable: 600000 kB\n",
    ),
    ("proc/77/comm", "sup\n"),
    ("proc/77/cmdline", "/x/sup\0run\0--config\0/x/sup.toml\0"),
];

/// A QNAP as it should be: RAM root, system RAID, data volume, hook on the mounted flash.
const QNAP: &[File] = &[
    (
        "proc/mounts",
        "none / tmpfs rw 0 0\nproc /proc proc rw 0 0\n/dev/md9 /mnt/HDA_ROOT ext3 rw 0 0\n\
         /dev/mapper/cachedev1 /share/CACHEDEV1_DATA ext4 rw 0 0\n\
         /dev/mapper/cachedev2 /share/CACHEDEV2_DATA ext4 rw 0 0\n",
    ),
    (
        "etc/config/uLinux.conf",
        "[System]\nModel = TS-431P\n[Misc]\nAutorun = TRUE\n",
    ),
    (
        "etc/config/def_share.info",
        "[SHARE_DEF]\ndefVolMP = /share/CACHEDEV2_DATA\n",
    ),
    (
        "tmp/nasconfig_tmp/autorun.sh",
        "#!/bin/sh\n# sup: begin\n# sup: end\n",
    ),
    (
        "etc/config/crontab",
        "*/5 * * * * /share/CACHEDEV2_DATA/sup/sup --once --config /share/CACHEDEV2_DATA/sup/sup.toml\n",
    ),
    ("share/CACHEDEV2_DATA/sup/sup", ""),
    ("share/CACHEDEV2_DATA/sup/sup.toml", CONFIG),
];

const SYNOLOGY: &[File] = &[
    ("proc/sys/kernel/osrelease", "3.10.108\n"),
    (
        "proc/mounts",
        "/dev/md0 / ext4 rw 0 0\nnone /run tmpfs rw 0 0\n/dev/md2 /volume1 btrfs rw 0 0\n",
    ),
    (
        "etc/synoinfo.conf",
        "unique=\"synology_armada38x_ds218j\"\n",
    ),
    (
        "etc/crontab",
        "#minute\thour\tmday\n10\t5\t*\t*\t6\troot\t/usr/bin/true\n",
    ),
    ("usr/local/etc/rc.d/sup.sh", "#!/bin/sh\n# sup: starts it\n"),
    ("volume1/@sup/sup", ""),
    ("volume1/@sup/sup.toml", CONFIG),
];

const DEBIAN: &[File] = &[
    (
        "proc/mounts",
        "/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n",
    ),
    ("run/systemd/system/x", ""),
    (
        "etc/systemd/system/multi-user.target.wants/sup.service",
        "[Unit]\n",
    ),
    ("opt/sup/sup", ""),
    ("opt/sup/sup.toml", CONFIG),
];

fn played(layers: &[&[File]]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, text) in layers.iter().flat_map(|layer| layer.iter()) {
        let path = root.path().join(path);
        if *text == GONE {
            let removed = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            removed.unwrap();
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if path.file_name().is_some_and(|name| name == "sup") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    root
}

fn sup(root: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sup"));
    command.args(args).arg("--root").arg(root);
    command.env_remove("SUP_CONFIG").output().unwrap()
}

/// What the doctor says of a box: its exit code, and each finding as `level about: is; do`.
fn examine(layers: &[&[File]]) -> (i32, Vec<String>) {
    let layers: Vec<&[File]> = [EVERY_BOX].iter().chain(layers).copied().collect();
    let root = played(&layers);
    let output = sup(root.path(), &["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let words = |finding: &Value| {
        let word = |key: &str| finding[key].as_str().unwrap().to_owned();
        format!(
            "{} {}: {}; {}",
            word("level"),
            word("about"),
            word("is"),
            word("do")
        )
    };
    let findings = report["findings"].as_array().unwrap().iter().map(words);
    let code = output.status.code().unwrap();
    assert_eq!(report["good"], code == 0, "{report}");
    (code, findings.collect())
}

#[test]
fn a_box_as_it_should_be_needs_nothing() {
    assert_eq!(examine(&[QNAP]), (0, vec![]));
    assert_eq!(examine(&[DEBIAN]), (0, vec![]));
    let (code, findings) = examine(&[SYNOLOGY]);
    assert_eq!(code, 0, "{findings:?}");
    // Old kernels are no reason to act.
    assert_eq!(
        findings,
        [
            "note kernel: Linux 3.10.108 has no pidfd; sup goes by SIGCHLD: nothing to do",
            "note cron: nothing starts sup again if it is killed; a line for root: \
             */5 * * * * /volume1/@sup/sup --once --config /volume1/@sup/sup.toml",
        ]
    );
}

/// Each oddity alone, on a box that is well: the box, what is odd, and what is said.
#[test]
fn each_oddity_is_told_in_one_line_with_what_to_do() {
    let table: &[(&[File], &[File], &str)] = &[
        (
            QNAP,
            &[("etc/config/uLinux.conf", "[Misc]\nAutorun = FALSE\n")],
            "fix autorun: autorun.sh is switched off; /sbin/setcfg Misc Autorun TRUE",
        ),
        (
            QNAP,
            &[
                ("tmp/nasconfig_tmp/autorun.sh", "#!/bin/sh\n"),
                ("etc/config/crontab", "0 4 * * * /sbin/hwclock -s\n"),
            ],
            "fix hook: nothing starts sup at boot; sup recipe qnap",
        ),
        (
            // The flash is mounted, and has no autorun.sh.
            QNAP,
            &[
                ("tmp/nasconfig_tmp/autorun.sh", GONE),
                ("tmp/nasconfig_tmp/.sys_update_time", ""),
                ("etc/config/crontab", "0 4 * * * /sbin/hwclock -s\n"),
            ],
            "fix hook: nothing starts sup at boot; sup recipe qnap",
        ),
        (
            QNAP,
            &[(
                "share/CACHEDEV2_DATA/sup/sup.toml",
                "state = \"/root/.sup\"\n[child.a]\ncommand = [\"/bin/true\"]\n",
            )],
            "fix state: /root/.sup lies in RAM: gone at the next boot; say in the configuration: state = \"/share/CACHEDEV2_DATA/sup/state\"",
        ),
        (
            QNAP,
            &[(
                "share/CACHEDEV2_DATA/sup/sup.toml",
                "state = \"/mnt/HDA_ROOT/.sup\"\n[child.a]\ncommand = [\"/bin/true\"]\n",
            )],
            "fix state: /mnt/HDA_ROOT/.sup lies on the firmware's own partition",
        ),
        (
            QNAP,
            &[(
                "proc/mounts",
                "/dev/sda1 / ext4 rw 0 0\n/dev/sdb1 /share ext4 rw,noexec,nosuid 0 0\n",
            )],
            "fix binary: /share is mounted noexec; move sup to /share/CACHEDEV2_DATA/sup",
        ),
        (
            QNAP,
            &[("proc/mounts", "none / tmpfs rw 0 0\n")],
            "fix binary: /share/CACHEDEV2_DATA/sup/sup lies in RAM",
        ),
        (
            QNAP,
            &[(
                "proc/meminfo",
                "MemTotal: 262144 kB\nMemFree: 9000 kB\nBuffers: 1000 kB\nCached: 2000 kB\n",
            )],
            "fix memory: 11 of 256 MiB are free",
        ),
        (
            SYNOLOGY,
            &[("etc/crontab", "#x\n10 5 * * * root /bin/true\n")],
            "fix crontab: line 2 of /etc/crontab has spaces between its fields; put tabs there",
        ),
        (
            SYNOLOGY,
            &[(
                "volume1/@sup/sup.toml",
                "state = \"/var/lib/sup\"\n[child.a]\ncommand = [\"/bin/true\"]\n",
            )],
            "fix state: /var/lib/sup lies on the firmware's own partition",
        ),
        (
            SYNOLOGY,
            &[("volume1/@sup/sup.toml", "[child.a]\ncomand = 1\n")],
            "fix config: /volume1/@sup/sup.toml has ",
        ),
        (
            SYNOLOGY,
            &[("proc/sys/kernel/osrelease", "3.2.40\n")],
            "note kernel: Linux 3.2.40 gives orphans to init",
        ),
        (
            SYNOLOGY,
            &[("proc/sys/kernel/osrelease", "2.6.32.12\n")],
            "fix kernel: Linux 2.6.32.12 is older than 3.2",
        ),
        (
            QNAP,
            &[
                ("tmp/nasconfig_tmp", GONE),
                ("etc/config/crontab", "0 4 * * * /sbin/hwclock -s\n"),
            ],
            "note hook: it cannot be seen from here; /etc/init.d/init_disk.sh mount_flash_config, then again: sup doctor",
        ),
        (
            // What is not enabled starts nothing.
            DEBIAN,
            &[
                ("etc/systemd/system/multi-user.target.wants", GONE),
                ("etc/systemd/system/sup.service", "# sup: keeps\n"),
            ],
            "fix hook: nothing starts sup at boot; sup recipe systemd",
        ),
        (
            DEBIAN,
            &[("opt/sup/sup", GONE)],
            "fix binary: there is none at /opt/sup/sup; copy it there",
        ),
        (
            DEBIAN,
            &[("opt/sup/sup.toml", "")],
            "fix config: /opt/sup/sup.toml has a mistake; sup validate --config /opt/sup/sup.toml",
        ),
        (
            DEBIAN,
            &[("opt/sup/sup.toml", GONE)],
            "fix config: there is none at /opt/sup/sup.toml; sup init > /opt/sup/sup.toml",
        ),
        (
            DEBIAN,
            &[("proc/stat", "btime 12\n")],
            "fix clock: it says 1970-01-02T00:00:12Z; switch network time on",
        ),
        (
            DEBIAN,
            &[("proc/sys/kernel/random/boot_id", "")],
            "note kernel: it has no boot id",
        ),
        (
            DEBIAN,
            &[("proc/812/comm", "supervisord\n")],
            "note others: supervisord runs too, with pid 812",
        ),
        (
            DEBIAN,
            &[("proc/78/comm", "sup\n"), ("proc/78/cmdline", "sup\0run\0")],
            "note sup: 2 of them run",
        ),
        (
            DEBIAN,
            &[("proc/813/comm", "PM2 v5.3.0: God\n")],
            "note others: PM2 v5.3.0: God runs too, with pid 813",
        ),
        (
            DEBIAN,
            &[("proc/77/cmdline", "sup\0--\0collector\0run\0")],
            "note sup: it is not running",
        ),
        (
            DEBIAN,
            &[("proc/77/cmdline", "sup\0status\0")],
            "note sup: it is not running; sup run --detach --config /opt/sup/sup.toml",
        ),
        (
            DEBIAN,
            &[(
                "opt/sup/sup.toml",
                "[child.a]\ncommand = [\"/bin/true\"]\n[[child.a.check]]\nname = \"ready\"\nexec = [\"/usr/bin/pg_isready\"]\n",
            )],
            "fix check: ready of a finds no /usr/bin/pg_isready; install it, or change the check",
        ),
        (
            DEBIAN,
            &[(
                "opt/sup/sup.toml",
                "[child.a]\ncommand = [\"/bin/true\"]\n[[check]]\ndisk = \"/share\"\n[[check]]\nexec = [\"true\"]\n",
            )],
            "fix check: disk of host finds no /share",
        ),
        (
            DEBIAN,
            &[("proc/mounts", "")],
            "fix proc: is not mounted; mount -t proc proc /proc",
        ),
    ];
    for (well, odd, expected) in table {
        let (code, findings) = examine(&[well, odd]);
        let fixes = findings
            .iter()
            .filter(|line| line.starts_with("fix"))
            .count();
        assert_eq!(code, i32::from(fixes > 0), "{findings:?}");
        let (_, usual) = examine(&[well]);
        let mut told = findings.iter().filter(|line| !usual.contains(line));
        let first = told.next().expect(expected);
        assert!(
            first.starts_with(expected),
            "{expected}\nis not in {findings:#?}"
        );
        // What lies in RAM does so with all that is beside it, and cron has no line where
        // nothing starts sup.
        let comes_along =
            |line: &str| line.contains("lies in RAM") || line.starts_with("note cron");
        let more: Vec<&String> = told.filter(|line| !comes_along(line)).collect();
        assert!(more.is_empty(), "{expected}\n{more:?}");
    }
}

/// Where cron takes a look every few minutes, that is all that is needed.
#[test]
fn a_box_that_lives_by_looks_needs_no_hook_and_no_sup_that_stays() {
    let by_looks: &[File] = &[
        ("tmp/nasconfig_tmp/autorun.sh", "#!/bin/sh\n"),
        ("proc/77/cmdline", "sh\0"),
    ];
    assert_eq!(examine(&[QNAP, by_looks]), (0, vec![]));
    let counts: &[File] = &[(
        "share/CACHEDEV2_DATA/sup/sup.toml",
        "[child.a]\ncommand = [\"/bin/true\"]\n[[child.a.check]]\nlog = \"E\"\nwithin = \"1h\"\nwarn = 1\n",
    )];
    let expected = "fix check: log of a counts lines, which sup --once does not see; \
                    a sup that stays: sup recipe qnap";
    assert_eq!(
        examine(&[QNAP, by_looks, counts]),
        (1, vec![expected.to_owned()])
    );
    assert_eq!(examine(&[QNAP, counts]), (0, vec![]));
}

#[test]
fn what_root_runs_can_be_executed_and_is_closed_to_others() {
    for (mode, is) in [
        (0o644, "it cannot be executed"),
        (0o777, "others can change what root runs"),
    ] {
        let root = played(&[EVERY_BOX, DEBIAN]);
        let binary = root.path().join("opt/sup/sup");
        fs::set_permissions(binary, fs::Permissions::from_mode(mode)).unwrap();
        let output = sup(root.path(), &["doctor"]);
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stdout).unwrap();
        let line = format!("fix   binary: {is}; chmod 755 /opt/sup/sup\n");
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn a_hook_is_found_by_its_mark_or_by_its_name() {
    for text in ["#!/bin/sh\n# sup: starts it\n", "#!/bin/sh\n"] {
        let (code, findings) = examine(&[SYNOLOGY, &[("usr/local/etc/rc.d/sup.sh", text)]]);
        assert!(
            code == 0 && !findings.concat().contains("hook"),
            "{findings:?}"
        );
    }
    // Or as a task of the Task Scheduler, which keeps them in a database.
    let no_script: File = ("usr/local/etc/rc.d/sup.sh", GONE);
    let task: File = (
        "usr/syno/etc/esynoscheduler/esynoscheduler.db",
        "SQLite format 3\0bootup\0/volume1/@sup/sup run --detach # sup:\0",
    );
    assert_eq!(examine(&[SYNOLOGY, &[no_script]]).0, 1);
    assert_eq!(examine(&[SYNOLOGY, &[no_script, task]]).0, 0);
}

#[test]
fn pages_are_read_from_what_the_kernel_tells_programs() {
    let root = played(&[EVERY_BOX, DEBIAN]);
    let auxv = [6_usize, 32_768, 0, 0].map(usize::to_ne_bytes).concat();
    fs::create_dir_all(root.path().join("proc/self")).unwrap();
    fs::write(root.path().join("proc/self/auxv"), auxv).unwrap();
    let output = sup(root.path(), &["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("systemd, Linux 5.10.60, pages of 32 KiB, 1000 MiB of memory\n"),
        "{text}"
    );
    assert!(text.contains("note  pages: they have 32 KiB; "), "{text}");
    assert!(text.ends_with("nothing needs doing\n"), "{text}");
}

/// This very machine, whatever it is: an answer, and no failure of our own.
#[test]
fn it_has_something_to_say_of_this_machine() {
    let output = Command::new(env!("CARGO_BIN_EXE_sup"))
        .arg("doctor")
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn recipes_have_the_paths_of_the_box() {
    let root = played(&[EVERY_BOX, QNAP]);
    let text = String::from_utf8(sup(root.path(), &["recipe"]).stdout).unwrap();
    assert!(text.starts_with("# sup: hook for QNAP"), "{text}");
    assert!(
        text.contains("until [ -x /share/CACHEDEV2_DATA/sup/sup ]"),
        "{text}"
    );
    assert!(
        text.contains("--config /share/CACHEDEV2_DATA/sup/sup.toml"),
        "{text}"
    );
    assert!(sup(root.path(), &["recipe"]).stderr.is_empty());
    let output = sup(root.path(), &["recipe", "unraid"]);
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        words,
        "sup: there is no /mnt/user/appdata/sup/sup yet: copy sup there before you set this hook\n"
    );
    let output = sup(root.path(), &["recipe", "toaster"]);
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(
        words.contains("there is one for qnap, synology, "),
        "{words}"
    );
}

/// What a box is taken for, by what only its kind has, and where sup should live there.
#[test]
fn boxes_are_told_by_their_signs() {
    let table: &[(&[File], &str, &str)] = &[
        (
            &[("sbin/getcfg", ""), ("share/MD0_DATA/x", "")],
            "QNAP",
            "/share/MD0_DATA/sup/sup",
        ),
        (
            &[("etc/synoinfo.conf", ""), ("volume2/x", "")],
            "Synology",
            "/volume2/@sup/sup",
        ),
        (
            &[("usr/builtin/x", ""), ("run/systemd/system/x", "")],
            "ASUSTOR",
            "/volume1/sup/sup",
        ),
        (
            &[("etc/unraid-version", "")],
            "Unraid",
            "/mnt/user/appdata/sup/sup",
        ),
        (
            &[("usr/bin/midclt", ""), ("mnt/pool/x", "")],
            "TrueNAS",
            "/mnt/pool/sup/sup",
        ),
        (
            &[("mnt/HD/HD_a2/Nas_Prog/x", "")],
            "WD",
            "/mnt/HD/HD_a2/sup/sup",
        ),
        (&[("etc/openwrt_release", "")], "OpenWrt", "/opt/sup/sup"),
        (
            &[("opt/etc/init.d/rc.unslung", "")],
            "Entware",
            "/opt/sup/sup",
        ),
        (&[("run/systemd/system/x", "")], "systemd", "/opt/sup/sup"),
        (&[("sbin/openrc-run", "")], "OpenRC", "/opt/sup/sup"),
        (
            &[("etc/rc3.d/x", "")],
            "starts the supervisor",
            "SUP=/opt/sup/sup",
        ),
        (&[], "a cron", "/opt/sup/sup"),
    ];
    for (files, name, place) in table {
        let root = played(&[files]);
        let text = String::from_utf8(sup(root.path(), &["recipe"]).stdout).unwrap();
        let title = text.lines().find(|line| line.contains("sup: ")).unwrap();
        assert!(title.contains(name), "{name}: {title}");
        assert!(text.contains(place), "{name}: {place} in {text}");
        assert!(
            !text.contains("@SUP@") && !text.contains("@CONFIG@"),
            "{text}"
        );
    }
}

#[test]
fn the_first_configuration_is_good_as_it_is_and_with_all_its_examples() {
    let output = Command::new(env!("CARGO_BIN_EXE_sup"))
        .arg("init")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // An example begins right behind its `#`, a comment does not.
    let example = |line: &str| {
        let rest = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        format!("{}\n", rest.unwrap_or(line))
    };
    let whole: String = text.lines().map(example).collect();
    for text in [text, whole] {
        let loaded =
            sup::config::parse(&text, "/x/sup.toml").unwrap_or_else(|m| panic!("{m}\n{text}"));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    }
}

//! `sup doctor`: what is odd about a box, one line each with what to do about it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;

use super::args::Flags;
use super::ask::say;
use super::patient::Patient;
use super::platform::{self, CRONTABS, PLATFORMS};
use super::style::{self, Colour, paint};
use super::{Code, Failed};
use crate::model::time::utc;
use crate::os::kernel::Version;
use crate::os::mounts::Mount;

/// 2020-01-01 and 2100-01-01, in seconds since 1970: no sup was before, no box is after.
const SANE_YEARS: std::ops::Range<u64> = 1_577_836_800..4_102_444_800;

/// Less free memory than this, in KiB, and the kernel will soon kill somebody.
const MEMORY_MIN: u64 = 32 << 10;

/// Programs that keep programs running, as the kernel calls them.
const SUPERVISORS: &[&str] = &[
    "supervisord",
    "runsvdir",
    "s6-svscan",
    "svscan",
    "monit",
    "dinit",
    "perpd",
    "circusd",
    "god",
    "PM2", // with its version behind it
];

/// Something odd.
#[derive(Serialize)]
struct Finding {
    /// `fix`: somebody should do something; `note`: it is good to know.
    level: &'static str,
    about: &'static str,
    is: String,
    #[serde(rename = "do")]
    todo: String,
}

#[derive(Serialize)]
struct Report<'a> {
    platform: &'a str,
    kernel: &'a str,
    page_size: Option<usize>,
    memory_kib: Option<u64>,
    good: bool,
    findings: &'a [Finding],
}

/// What was found so far.
struct Findings(Vec<Finding>);

impl Findings {
    fn fix(&mut self, about: &'static str, is: impl Into<String>, todo: impl Into<String>) {
        self.add("fix", about, is.into(), todo.into());
    }

    fn note(&mut self, about: &'static str, is: impl Into<String>, todo: impl Into<String>) {
        self.add("note", about, is.into(), todo.into());
    }

    fn add(&mut self, level: &'static str, about: &'static str, is: String, todo: String) {
        self.0.push(Finding {
            level,
            about,
            is,
            todo,
        });
    }
}

/// One look at one thing.
type Check = fn(&Patient, &mut Findings);

const CHECKS: &[Check] = &[
    kernel, pages, clock, memory, ram_root, binary, config, state, checks, hook, cron, autorun,
    crontab, others,
];

/// Looks, and says what it has found.
pub(super) fn doctor(flags: &Flags) -> Result<Code, Failed> {
    let patient = Patient::look(flags);
    let mut findings = Findings(Vec::new());
    if patient.mounts.is_empty() {
        findings.fix("proc", "is not mounted", "mount -t proc proc /proc");
    } else {
        CHECKS
            .iter()
            .for_each(|check| check(&patient, &mut findings));
    }
    let report = Report {
        platform: patient.platform.name,
        kernel: &patient.release,
        page_size: patient.page_size(),
        memory_kib: patient.memory().map(|(_, all)| all),
        good: findings.0.iter().all(|finding| finding.level != "fix"),
        findings: &findings.0,
    };
    if flags.has("json") {
        say(&(serde_json::to_string(&report).unwrap_or_default() + "\n"));
    } else {
        say(&words(&report));
    }
    Ok(if report.good {
        Code::Success
    } else {
        Code::Failure
    })
}

fn words(report: &Report<'_>) -> String {
    let colours = style::is_wanted();
    let mut text = format!("{}, Linux {}", report.platform, report.kernel);
    if let Some(size) = report.page_size {
        text += &format!(", pages of {} KiB", size >> 10);
    }
    if let Some(size) = report.memory_kib {
        text += &format!(", {} MiB of memory", size >> 10);
    }
    text.push('\n');
    for finding in report.findings {
        let colour = match finding.level {
            "fix" => Colour::Yellow,
            _ => Colour::Grey,
        };
        let level = paint(&format!("{:4}", finding.level), colour, colours);
        text += &format!(
            "{level}  {}: {}; {}\n",
            finding.about, finding.is, finding.todo
        );
    }
    if report.good {
        text += "nothing needs doing\n";
    }
    text
}

// ---- the kernel and the machine -------------------------------------------------

fn kernel(patient: &Patient, found: &mut Findings) {
    let (version, release) = (patient.kernel(), &patient.release);
    if version < Version::OLDEST {
        let is = format!("Linux {release} is older than 3.2");
        found.fix(
            "kernel",
            is,
            "sup was never tried there: update the firmware",
        );
    } else if version < Version(3, 4) {
        let is = format!("Linux {release} gives orphans to init");
        found.note("kernel", is, "programs should stay in the foreground");
    } else if version < Version(5, 3) {
        let is = format!("Linux {release} has no pidfd");
        found.note("kernel", is, "sup goes by SIGCHLD: nothing to do");
    }
    if patient
        .text("proc/sys/kernel/random/boot_id")
        .trim()
        .is_empty()
    {
        let todo = "children cannot be taken up by the next sup: stop them with it";
        found.note("kernel", "it has no boot id", todo);
    }
}

fn pages(patient: &Patient, found: &mut Findings) {
    if let Some(size) = patient.page_size().filter(|size| *size > 4096) {
        let is = format!("they have {} KiB", size >> 10);
        let todo = "a program that crashes at once was linked for 4 KiB: take one for this box";
        found.note("pages", is, todo);
    }
}

fn clock(patient: &Patient, found: &mut Findings) {
    if let Some(wall) = patient.wall().filter(|wall| !SANE_YEARS.contains(wall)) {
        let is = format!("it says {}", String::from_utf8_lossy(&utc(wall)));
        let todo = "switch network time on, or change the battery; sup's waits do not need it";
        found.fix("clock", is, todo);
    }
}

fn memory(patient: &Patient, found: &mut Findings) {
    if let Some((free, all)) = patient.memory()
        && free < MEMORY_MIN.max(all / 20)
    {
        let is = format!("{} of {} MiB are free", free >> 10, all >> 10);
        found.fix(
            "memory",
            is,
            "run fewer programs, before the kernel kills one",
        );
    }
}

/// A RAM root that is full stops half of a vendor's own programs.
fn ram_root(patient: &Patient, found: &mut Findings) {
    const FULL: u64 = 90;
    let root = Path::new("/");
    let is_ours = patient.root == root;
    let in_ram = patient.mount(root).is_some_and(Mount::is_ram);
    let Some(stat) = nix::sys::statvfs::statvfs(root)
        .ok()
        .filter(|_| is_ours && in_ram)
    else {
        return;
    };
    let used = 100 - (100 * stat.blocks_available() / stat.blocks().max(1)).min(100);
    if used >= FULL {
        let is = format!("it lies in RAM and is {used}% full");
        found.fix("root", is, "look for logs there: du -x / | sort -n | tail");
    }
}

// ---- sup's own files ------------------------------------------------------------

fn binary(patient: &Patient, found: &mut Findings) {
    let (sup, home) = (&patient.sup, patient.home.display());
    let Ok(metadata) = fs::metadata(patient.below(sup)) else {
        let is = format!("there is none at {}", sup.display());
        return found.fix("binary", is, "copy it there");
    };
    let mode = metadata.permissions().mode();
    if mode & 0o111 == 0 {
        let todo = format!("chmod 755 {}", sup.display());
        found.fix("binary", "it cannot be executed", todo);
    } else if mode & 0o022 != 0 {
        let todo = format!("chmod 755 {}", sup.display());
        found.fix("binary", "others can change what root runs", todo);
    }
    if let Some(mount) = patient.mount(sup).filter(|mount| mount.has("noexec")) {
        let is = format!("{} is mounted noexec", mount.place.display());
        found.fix("binary", is, format!("move sup to {home}"));
    }
    lies(patient, "binary", sup, found);
}

fn config(patient: &Patient, found: &mut Findings) {
    let path = patient.config.display();
    if !patient.below(&patient.config).exists() {
        let is = format!("there is none at {path}");
        found.fix("config", is, format!("sup init > {path}"));
        return;
    }
    if let Some(mistakes) = &patient.mistakes {
        let count = mistakes.lines().filter(|line| line.contains(": ")).count();
        let mistakes = if count == 1 { "a mistake" } else { "mistakes" };
        let is = format!("{path} has {mistakes}");
        found.fix("config", is, format!("sup validate --config {path}"));
    }
    lies(patient, "config", &patient.config, found);
}

fn state(patient: &Patient, found: &mut Findings) {
    lies(patient, "state", &patient.state, found);
}

fn checks(patient: &Patient, found: &mut Findings) {
    for (check, path) in &patient.needed {
        if !patient.below(path).exists() {
            let is = format!("{check} finds no {}", path.display());
            found.fix("check", is, "install it, or change the check");
        }
    }
    if patient.looks && !is_hooked(patient) {
        for check in &patient.counts {
            let is = format!("{check} counts lines, which sup --once does not see");
            let todo = format!("a sup that stays: sup recipe {}", patient.platform.name);
            found.fix("check", is, todo);
        }
    }
}

/// Whether a file of ours lies where it will last, and wakes no disks.
fn lies(patient: &Patient, about: &'static str, path: &Path, found: &mut Findings) {
    let Some(mount) = patient.mount(path) else {
        return;
    };
    let (at, home) = (path.display(), patient.home.display());
    let todo = match about {
        "state" => format!("say in the configuration: state = \"{home}/state\""),
        _ => format!("move it to {home}"),
    };
    let place = mount.place.to_string_lossy();
    if mount.is_ram() {
        found.fix(
            about,
            format!("{at} lies in RAM: gone at the next boot"),
            todo,
        );
    } else if patient.platform.system.contains(&&*place) {
        let is = format!(
            "{at} lies on the firmware's own partition, which wakes disks and is replaced by updates"
        );
        found.fix(about, is, todo);
    }
}

// ---- who starts sup -------------------------------------------------------------

fn is_hooked(patient: &Patient) -> bool {
    let hooks = PLATFORMS.iter().map(|platform| platform.hooks);
    let mut places = hooks.chain([CRONTABS]);
    places.any(|places| platform::marked(&patient.root, places).is_some())
}

fn hook(patient: &Patient, found: &mut Findings) {
    // A look starts what should run, and is there after each boot.
    if patient.looks || is_hooked(patient) {
        return;
    }
    let (name, root) = (patient.platform.name, &patient.root);
    let unseen = match name {
        "qnap" if is_empty(&root.join("tmp/nasconfig_tmp")) => {
            "/etc/init.d/init_disk.sh mount_flash_config, then again: sup doctor"
        }
        "truenas" => "midclt call initshutdownscript.query | grep sup",
        _ => {
            let is = "nothing starts sup at boot";
            return found.fix("hook", is, format!("sup recipe {name}"));
        }
    };
    let todo = format!("{unseen}; if there is none: sup recipe {name}");
    found.note("hook", "it cannot be seen from here", todo);
}

/// Who sees to sup itself: where init does not, cron can.
fn cron(patient: &Patient, found: &mut Findings) {
    if patient.looks || patient.platform.restarts {
        return;
    }
    let (sup, config) = (patient.sup.display(), patient.config.display());
    let is = "nothing starts sup again if it is killed";
    let todo = format!("a line for root: */5 * * * * {sup} --once --config {config}");
    found.note("cron", is, todo);
}

fn autorun(patient: &Patient, found: &mut Findings) {
    if patient.platform.name != "qnap" {
        return;
    }
    let text = patient.text("etc/config/uLinux.conf");
    let value = platform::setting(&text, "Misc", "Autorun").unwrap_or("FALSE");
    if !value.eq_ignore_ascii_case("TRUE") {
        let todo = "/sbin/setcfg Misc Autorun TRUE, or Control Panel > Hardware > \"Run user defined processes during startup\"";
        found.fix("autorun", "autorun.sh is switched off", todo);
    }
}

/// DSM's cron reads tabs between its fields, and passes over a line with spaces.
fn crontab(patient: &Patient, found: &mut Findings) {
    if patient.platform.name != "synology" {
        return;
    }
    let text = patient.text("etc/crontab");
    let is_line = |line: &str| line.starts_with(|c: char| c == '*' || c.is_ascii_digit());
    for (at, line) in text.lines().enumerate() {
        // Five for the time, the user, the command.
        if is_line(line) && line.split('\t').count() < 7 {
            let is = format!(
                "line {} of /etc/crontab has spaces between its fields",
                at + 1
            );
            found.fix("crontab", is, "put tabs there: cron passes over it");
        }
    }
}

fn others(patient: &Patient, found: &mut Findings) {
    let all = patient.processes();
    let others = all
        .iter()
        .filter(|process| process.pid > 1)
        .filter(|process| {
            let name = process.name.split(' ').next();
            name.is_some_and(|name| SUPERVISORS.contains(&name))
        });
    for other in others {
        let is = format!("{} runs too, with pid {}", other.name, other.pid);
        found.note(
            "others",
            is,
            "let each program be started by one of the two",
        );
    }
    let is_sup = |args: &[String]| {
        let name = args.first().and_then(|arg| arg.rsplit('/').next());
        name == Some("sup") && args.get(1).is_some_and(|verb| verb == "run")
    };
    match all.iter().filter(|process| is_sup(&process.args)).count() {
        0 if patient.looks => {}
        0 => {
            let todo = format!("sup run --detach --config {}", patient.config.display());
            found.note("sup", "it is not running", todo);
        }
        1 => {}
        count => {
            let is = format!("{count} of them run");
            found.note(
                "sup",
                is,
                "each needs a configuration of its own: sup status --config FILE",
            );
        }
    }
}

/// Where nothing is mounted there is nothing; QNAP's flash is never empty.
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

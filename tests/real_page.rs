//! The page in a real browser, where there is one: on a phone, by day and by night, and
//! from one look at sup to the next.

mod common;

use std::fs::File;
use std::io::{BufRead, BufReader, Write, pipe};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use common::{BOUND, Sig, TestBox};
use nix::libc;
use serde_json::{Value, json};

/// In this, every tone of the page is to be seen.
const CONFIG: &str = "[child.a]\ncommand = [\"sleep\", \"100000\"]\nbackoff = { first = \"0s\" }\n\
    [child.hopeless]\ncommand = [\"sh\", \"-c\", \"exit 42\"]\nbudget = { max-restarts = 0 }\n\
    [child.sick]\ncommand = [\"sleep\", \"100000\"]\n\
    [[child.sick.check]]\nname = \"memory\"\nmemory = \"child\"\nwarn = \"1K\"\nretries = 1\ninterval = \"100ms\"\n\
    [child.off]\ncommand = [\"sleep\", \"100000\"]\nautostart = false\n\
    [child.job]\ncommand = [\"true\"]\n\
    [child.of-a-name-that-is-longer-than-a-phone-is-wide-by-far]\ncommand = [\"sleep\", \"100000\"]\n\
    [group.pipeline]\nmembers = [\"a\", \"of-a-name-that-is-longer-than-a-phone-is-wide-by-far\"]\n";

/// In CSS pixels.
const PHONE: u32 = 390;

/// A headless Chromium, spoken to over a pipe: a JSON text and a zero for each message.
struct Browser {
    process: Child,
    to: File,
    from: Receiver<Value>,
    asked: u64,
    /// Trouble that it has told of.
    trouble: Vec<Value>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// The same descriptor by a number that is not 3 or 4.
fn aside(fd: &impl AsRawFd) -> OwnedFd {
    // SAFETY: the number is a new one, and ours alone.
    unsafe { OwnedFd::from_raw_fd(libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 10)) }
}

impl Browser {
    /// `None`: there is none here.
    fn open(profile: &str) -> Option<Self> {
        let ((theirs, ours), (heard, said)) = (pipe().unwrap(), pipe().unwrap());
        let (theirs, said) = (aside(&theirs), aside(&said));
        let (reads, writes) = (theirs.as_raw_fd(), said.as_raw_fd());
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--remote-debugging-pipe", "about:blank"])
            .arg(format!("--user-data-dir={profile}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let give = move || {
            // SAFETY: two system calls, which neither allocate nor lock.
            let given = unsafe { libc::dup2(reads, 3) == 3 && libc::dup2(writes, 4) == 4 };
            given
                .then_some(())
                .ok_or_else(std::io::Error::last_os_error)
        };
        // SAFETY: see above.
        unsafe { command.pre_exec(give) };
        let Ok(process) = command.spawn() else {
            println!("skipped: chromium is not installed");
            return None;
        };
        let (tell, from) = channel();
        thread::spawn(move || {
            for message in BufReader::new(heard).split(0) {
                let Ok(Ok(message)) = message.map(|text| serde_json::from_slice(&text)) else {
                    return;
                };
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        Some(Self {
            process,
            to: File::from(OwnedFd::from(ours)),
            from,
            asked: 0,
            trouble: Vec::new(),
        })
    }

    fn ask(&mut self, page: &str, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if !page.is_empty() {
            message["sessionId"] = page.into();
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        loop {
            let mut heard = self.from.recv_timeout(BOUND).expect(method);
            if heard["id"] == self.asked {
                assert_eq!(heard["error"], Value::Null, "{method}: {heard}");
                return heard["result"].take();
            }
            let is_trouble = ["Log.entryAdded", "Runtime.exceptionThrown"];
            if is_trouble.contains(&heard["method"].as_str().unwrap_or_default()) {
                self.trouble.push(heard);
            }
        }
    }

    /// A page of that width, once it shows how sup stands.
    fn visit(&mut self, url: &str, width: u32, theme: &str) -> String {
        let target = self.ask("", "Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.ask("", "Target.attachToTarget", &attach)["sessionId"].take();
        let page = session.as_str().unwrap().to_owned();
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 2, "mobile": true });
        self.ask(&page, "Emulation.setDeviceMetricsOverride", &size);
        let theme = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.ask(&page, "Emulation.setEmulatedMedia", &theme);
        for domain in ["Log.enable", "Runtime.enable", "Page.enable"] {
            self.ask(&page, domain, &json!({}));
        }
        self.ask(&page, "Page.navigate", &json!({ "url": url }));
        self.wait(
            &page,
            "document.querySelectorAll('#tree details').length >= 7",
        );
        page
    }

    fn evaluate(&mut self, page: &str, script: &str) -> Value {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let mut result = self.ask(page, "Runtime.evaluate", &params);
        assert_eq!(
            result["exceptionDetails"],
            Value::Null,
            "{script}: {result}"
        );
        result["result"]["value"].take()
    }

    /// Until that is so, however the page comes to it.
    fn wait(&mut self, page: &str, condition: &str) {
        let script = format!(
            "new Promise(done => {{ \
               const look = () => {{ if ({condition}) done(true) }}; \
               const all = {{ subtree: true, childList: true, characterData: true, attributes: true }}; \
               new MutationObserver(look).observe(document, all); look() }})"
        );
        assert_eq!(self.evaluate(page, &script), true, "{condition}");
    }
}

fn site() -> (TestBox, String) {
    // Another may take the port before sup does; then sup tries again.
    let port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let sup = TestBox::up(&format!("[http]\nlisten = {port}\n{CONFIG}"));
    sup.wait_state("hopeless", "gave-up");
    sup.wait_state("job", "finished");
    sup.line("sick is warning (check memory)");
    (sup, format!("http://127.0.0.1:{port}/"))
}

/// For each text the contrast with what lies behind it, as WCAG counts it; and whether it
/// is of a size to be read, and inside the window.
const TEXTS: &str = "(() => {
  const numbers = color => color.match(/[\\d.]+/g).map(Number)
  const light = color => numbers(color).slice(0, 3)
    .map(part => (part /= 255) <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [.2126, .7152, .0722][at], 0)
  const behind = node => {
    const color = getComputedStyle(node).backgroundColor
    return (numbers(color)[3] ?? 1) > 0 ? color : behind(node.parentElement)
  }
  const texts = [...document.querySelectorAll('h1, #about, .name, .state, .time, .why, .more p, li span, time, h2, small')]
    .filter(node => node.textContent.trim() && node.checkVisibility({ visibilityProperty: true }))
  return texts.map(node => {
    const style = getComputedStyle(node), [one, other] = [light(style.color), light(behind(node))]
    const contrast = (Math.max(one, other) + .05) / (Math.min(one, other) + .05)
    const box = node.getBoundingClientRect()
    return { text: node.textContent, contrast, size: parseFloat(style.fontSize), left: box.left, right: box.right }
  })
})()";

#[test]
fn a_phone_can_read_it_by_day_and_by_night() {
    let (sup, url) = site();
    let Some(mut browser) = Browser::open(&sup.name("browser")) else {
        return;
    };
    let papers = ["light", "dark"].map(|theme| {
        let page = browser.visit(&url, PHONE, theme);
        browser.evaluate(
            &page,
            "document.querySelectorAll('summary').forEach(row => row.click())",
        );
        browser.wait(&page, "document.querySelector('#row-hopeless td')");
        let width = browser.evaluate(&page, "document.documentElement.scrollWidth");
        assert_eq!(width, PHONE, "{theme}");
        let texts = browser.evaluate(&page, TEXTS);
        let texts = texts.as_array().unwrap();
        assert!(texts.len() > 30, "{texts:?}");
        for text in texts {
            let number = |key: &str| text[key].as_f64().unwrap();
            assert!(number("contrast") >= 4.5, "{theme}: {text}");
            assert!(number("size") >= 12.0, "{theme}: {text}");
            assert!(
                number("left") >= 0.0 && number("right") <= f64::from(PHONE),
                "{text}"
            );
        }
        let paper = "getComputedStyle(document.body).backgroundColor";
        browser.evaluate(&page, paper)
    });
    assert_ne!(papers[0], papers[1]);
    assert_eq!(browser.trouble, [Value::Null; 0]);
}

#[test]
fn it_goes_on_without_a_flicker() {
    let (sup, url) = site();
    let Some(mut browser) = Browser::open(&sup.name("browser")) else {
        return;
    };
    let page = browser.visit(&url, 1200, "light");
    // A row that is open, and a look at all that goes.
    browser.evaluate(
        &page,
        "document.querySelector('#row-sick summary').click(); window.gone = []; \
         const add = changes => changes.forEach(change => gone.push( \
           ...[...change.removedNodes].filter(node => node.nodeType === 1).map(node => node.outerHTML))); \
         for (const part of ['tree', 'events']) \
           new MutationObserver(add).observe(document.getElementById(part), { childList: true, subtree: true }); \
         window.before = document.getElementById('about').textContent; \
         window.kept = [...document.querySelectorAll('details, li')]",
    );
    browser.wait(
        &page,
        "document.getElementById('about').textContent !== before",
    );
    let run = sup.child("a")["run"].as_u64().unwrap();
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", run + 1);
    browser.wait(
        &page,
        "document.querySelector('#row-a svg').getAttribute('aria-label') === '1 restart in 24 hours'",
    );
    browser.wait(
        &page,
        "document.getElementById('events').textContent.includes('a was killed by SIGKILL')",
    );
    let seen = browser.evaluate(
        &page,
        "({ gone, kept: kept.every(node => node.isConnected), \
            open: document.getElementById('row-sick').open, silent: document.body.className })",
    );
    let expected = json!({ "gone": [], "kept": true, "open": true, "silent": "" });
    assert_eq!(seen, expected);
    assert_eq!(browser.trouble, [Value::Null; 0]);
}

#[test]
fn what_has_done_its_work_is_not_counted_as_missing() {
    let (sup, _) = site();
    assert_eq!(sup.child("job")["availability_percent"], Value::Null);
    assert!(sup.child("a")["availability_percent"].as_f64().unwrap() > 0.0);
}

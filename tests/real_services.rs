//! Programs that people run, from Debian: Redis, nginx and PostgreSQL, frozen, and brought
//! back by their checks. What is not installed is skipped, with a word.

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use common::{Sig, TestBox, is_root};

/// A check twice a second, of which two failures count.
const CHECK: &str = "interval = \"300ms\"\nstart-interval = \"200ms\"\nstart-period = \"30s\"\ntimeout = \"700ms\"\nretries = 2\non-critical = \"restart\"\n";

const LIFE: &str = "restart = \"always\"\nbackoff = { first = \"0s\" }\nstop-timeout = \"1s\"\n";

/// A program that is there: installed, or unpacked into `$SUP_SERVICES` with what it
/// needs.
struct Server {
    path: String,
    /// For the child's table.
    env: String,
}

/// The first of these that is there.
fn program(what: &str, paths: &[&str]) -> Option<Server> {
    let unpacked = std::env::var("SUP_SERVICES").unwrap_or_default();
    let roots = ["", &*unpacked];
    let all = roots
        .iter()
        .flat_map(|root| paths.iter().map(move |path| (root, path)));
    for (root, path) in all {
        let path = format!("{root}{path}");
        if Path::new(&path).exists() {
            let folders = libraries(root);
            let env = match folders.is_empty() {
                true => String::new(),
                false => format!("env = {{ LD_LIBRARY_PATH = \"{folders}\" }}\n"),
            };
            return Some(Server { path, env });
        }
    }
    println!("skipped: {what} is not installed ({})", paths.join(", "));
    None
}

/// Where the libraries lie that were unpacked.
fn libraries(root: &str) -> String {
    let folders = ["/usr/lib", "/lib"].map(|folder| fs::read_dir(format!("{root}{folder}")));
    let entries = folders.into_iter().flatten().flatten().flatten();
    let paths = entries.map(|entry| entry.path().to_string_lossy().into_owned());
    let fit = paths.filter(|path| !root.is_empty() && path.ends_with("-linux-gnu"));
    fit.collect::<Vec<_>>().join(":")
}

/// A port that was free a moment ago.
fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Well, then frozen, then another run of it that is well.
fn is_brought_back(sup: &TestBox, check: &str) {
    let child = sup.wait_for("a", "healthy", |child| child["health"] == "healthy");
    assert_eq!(child["run"], 1, "{child}");
    sup.signal("a", Sig::SIGSTOP);
    sup.line(&format!("a is critical (check {check})"));
    sup.wait_for("a", "well again", |child| {
        child["health"] == "healthy" && child["run"].as_u64() > Some(1)
    });
    let child = sup.child("a");
    assert_eq!(child["exits"][0]["exit"], "unhealthy", "{child}");
    sup.line(&format!(
        "a is healthy again, after critical (check {check})"
    ));
}

#[test]
fn redis_is_asked_over_tcp() {
    let Some(server) = program(
        "redis",
        &["/usr/bin/redis-server", "/usr/local/bin/redis-server"],
    ) else {
        return;
    };
    let port = port();
    let config = format!(
        "[child.a]\ncommand = [\"{}\", \"--port\", \"{port}\", \"--save\", \"\", \"--dir\", \"$DIR\"]\n{}{LIFE}\
         [[child.a.check]]\ntcp = {port}\nsend = \"PING\\r\\n\"\nexpect = \"+PONG\"\n{CHECK}",
        server.path, server.env
    );
    let mut sup = TestBox::up(&config);
    is_brought_back(&sup, "tcp");
    assert_eq!(sup.end(), 0);
}

#[test]
fn nginx_is_asked_over_http() {
    let Some(server) = program("nginx", &["/usr/sbin/nginx", "/usr/bin/nginx"]) else {
        return;
    };
    let port = port();
    let config = format!(
        "[child.a]\ncommand = [\"{}\", \"-p\", \"$DIR\", \"-c\", \"$DIR/nginx.conf\"]\n{}{LIFE}\
         [[child.a.check]]\nhttp = \"http://127.0.0.1:{port}/health\"\nbody = \"all well\"\n{CHECK}",
        server.path, server.env
    );
    let mut sup = TestBox::new(&config);
    // One process: frozen, nobody answers.
    sup.write(
        "nginx.conf",
        &format!(
            "daemon off; master_process off; pid $DIR/pid; error_log stderr;\n\
             events {{}}\nhttp {{ access_log off; client_body_temp_path $DIR/t1; proxy_temp_path $DIR/t2; \
             fastcgi_temp_path $DIR/t3; uwsgi_temp_path $DIR/t4; scgi_temp_path $DIR/t5;\n\
             server {{ listen 127.0.0.1:{port}; location /health {{ return 200 'all well'; }} }} }}\n"
        ),
    );
    sup.start();
    is_brought_back(&sup, "http");
    assert_eq!(sup.end(), 0);
}

/// The folder of the newest PostgreSQL.
fn postgres() -> Option<Server> {
    let unpacked = std::env::var("SUP_SERVICES").unwrap_or_default();
    let roots = [
        "/usr/lib/postgresql".to_owned(),
        unpacked + "/usr/lib/postgresql",
    ];
    let versions = roots.iter().flat_map(fs::read_dir).flatten();
    let mut all: Vec<u32> = versions
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    all.sort_unstable();
    let folders: Vec<String> = all
        .iter()
        .rev()
        .map(|version| format!("/usr/lib/postgresql/{version}/bin"))
        .collect();
    let servers: Vec<String> = folders
        .iter()
        .map(|folder| format!("{folder}/postgres"))
        .collect();
    let found = program(
        "postgresql",
        &servers.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    let path = found.path.trim_end_matches("/postgres").to_owned();
    Some(Server { path, ..found })
}

#[test]
fn postgresql_is_asked_by_its_own_program() {
    let Some(Server { path: bin, env }) = postgres() else {
        return;
    };
    if common::old_kernel::is_played() {
        println!("skipped: PostgreSQL itself does not run on the old kernel that is played");
        return;
    }
    // It refuses to be root.
    let user = if is_root() { "user = \"nobody\"\n" } else { "" };
    let port = port();
    let config = format!(
        "[child.a]\ncommand = [\"{bin}/postgres\", \"-D\", \"$DIR/db/data\", \"-k\", \"$DIR/db\", \"-p\", \"{port}\", \
         \"-c\", \"fsync=off\", \"-c\", \"shared_buffers=1MB\"]\n{env}{user}stop-signal = \"INT\"\n{LIFE}\
         [[child.a.check]]\nexec = [\"{bin}/pg_isready\", \"-q\", \"-h\", \"127.0.0.1\", \"-p\", \"{port}\", \"-t\", \"5\"]\n{CHECK}"
    );
    let mut sup = TestBox::new(&config);
    fs::create_dir(sup.path("db")).unwrap();
    let mut init = common::run_as_nobody(&format!("{bin}/initdb"), &sup.path("db"));
    init.args(["-A", "trust", "-U", "sup", "-N", "-D"]);
    init.arg(sup.path("db/data"));
    if let Some(folders) = env.split('"').nth(1) {
        init.env("LD_LIBRARY_PATH", folders);
    }
    let made = common::run(&mut init);
    assert_eq!(made.code, 0, "{made:?}");
    sup.start();
    is_brought_back(&sup, "exec");
    assert_eq!(sup.end(), 0);
}

//! Why a program that is there cannot be executed: what the kernel's number does not say.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

/// As many bytes as the kernel looks at (`BINPRM_BUF_SIZE`).
const HEAD: u64 = 256;

/// What a person should look at, if we can see it: a script's interpreter that is not
/// there, often for want of a Unix line end, or a file that is no program here.
#[must_use]
pub fn hint(program: &CStr, dir: Option<&str>, errno: i32) -> Option<String> {
    if !program.to_bytes().contains(&b'/') {
        return None; // Sought in many places.
    }
    let program = Path::new(OsStr::from_bytes(program.to_bytes()));
    let path = Path::new(dir.unwrap_or("")).join(program);
    let mut head = Vec::new();
    let file = File::open(path).ok()?;
    (&file).take(HEAD).read_to_end(&mut head).ok()?;
    let errno = Errno::from_raw(errno);
    if errno == Errno::ENOENT {
        missing_interpreter(&head)
    } else {
        (errno == Errno::ENOEXEC).then(|| no_program(&head).to_owned())
    }
}

fn missing_interpreter(head: &[u8]) -> Option<String> {
    let Some(line) = head.strip_prefix(b"#!") else {
        // A dynamic binary: its loader is named inside and not on this box.
        let linked = head.starts_with(b"\x7fELF");
        return linked.then(|| "it needs a C library that this box does not have".to_owned());
    };
    let line = line.split(|&byte| byte == b'\n').next()?;
    if line.ends_with(b"\r") {
        let words =
            "its lines end as on Windows, so its interpreter is sought by a name that ends in \\r";
        return Some(words.to_owned());
    }
    let interpreter = String::from_utf8_lossy(line);
    Some(format!(
        "its interpreter {} is not there",
        interpreter.split_whitespace().next()?
    ))
}

fn no_program(head: &[u8]) -> &'static str {
    if head.starts_with(b"\x7fELF") {
        "it is a program for another kind of machine"
    } else if head.is_empty() {
        "it is empty"
    } else {
        "it is no program; a script begins with a line such as #!/bin/sh"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_kernel_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (missing, format) = (Errno::ENOENT as i32, Errno::ENOEXEC as i32);
        let table: [(&[u8], i32, Option<&str>); 7] = [
            (
                b"#!/bin/sh\r\necho\r\n",
                missing,
                Some("its lines end as on Windows"),
            ),
            (
                b"#! /opt/bin/python3 -u\n",
                missing,
                Some("its interpreter /opt/bin/python3 is not there"),
            ),
            (b"\x7fELF...", missing, Some("it needs a C library")),
            (
                b"\x7fELF...",
                format,
                Some("it is a program for another kind of machine"),
            ),
            (
                b"echo hello\n",
                format,
                Some("a script begins with a line such as #!/bin/sh"),
            ),
            (b"", format, Some("it is empty")),
            (b"#!/bin/sh\n", Errno::EACCES as i32, None),
        ];
        for (bytes, errno, expected) in table {
            std::fs::write(dir.path().join("x"), bytes).unwrap();
            let said = hint(c"./x", dir.path().to_str(), errno);
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(
                said.unwrap_or_default()
                    .contains(expected.unwrap_or_default()),
                "{expected:?}"
            );
        }
        assert_eq!(hint(c"./none", dir.path().to_str(), missing), None);
    }
}

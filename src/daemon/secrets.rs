//! The variables of a child's env-files. They are read at each start, so that a new secret
//! needs no reload.

use std::path::Path;

use nix::libc;

use crate::config::env_file;
use crate::model::sorted::Set;
use crate::model::{ChildSpec, Stage, StartFault};
use crate::os::{say, secret, spawn};

/// Reads env-files, and knows of which it has warned.
#[derive(Default)]
pub(super) struct Secrets {
    warned: Set<Box<str>>,
}

impl Secrets {
    /// All variables, in the order of the files.
    pub(super) fn read(&mut self, spec: &ChildSpec) -> Result<Vec<(String, String)>, StartFault> {
        let mut all = Vec::new();
        let user = spawn::user(&spec.launch);
        for path in &spec.launch.env_files {
            let fault = |errno| StartFault {
                stage: Stage::EnvFile,
                errno,
            };
            let secret = secret::read(Path::new(&**path), user).map_err(|error| {
                say::warning(format_args!("{}: {path}: {error}", spec.name));
                fault(error.raw_os_error().unwrap_or(errno_of(error.kind())))
            })?;
            if let Some(warning) = secret.warning
                && self.warned.insert(path.clone())
            {
                say::warning(format_args!("{}: {path}: {warning}", spec.name));
            }
            let variables = env_file::parse(&secret.text).map_err(|(line, problem)| {
                say::warning(format_args!("{}: {path}:{line}: {problem}", spec.name));
                fault(libc::EINVAL)
            })?;
            all.extend(variables);
        }
        Ok(all)
    }
}

/// For what we refuse ourselves.
fn errno_of(kind: std::io::ErrorKind) -> i32 {
    match kind == std::io::ErrorKind::PermissionDenied {
        true => libc::EACCES,
        false => libc::EINVAL,
    }
}

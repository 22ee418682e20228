//! Telling through a program: the message is its last argument, the facts are `SUP_*`.

use std::ffi::CString;

use super::fault::Fault;
use super::program;
use crate::model::Exit;
use crate::model::Gather as _;
use crate::model::words::Telling;

/// Runs the program. It is not run again where it fails: it may have done half of its work.
pub(super) async fn tell(exec: &[CString], telling: &Telling) -> Result<String, Fault> {
    let message = CString::new(telling.message.replace('\0', "")).unwrap_or_default();
    let command = exec.iter().cloned().chain([message]).gather();
    let facts = telling
        .facts
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let facts = facts.chain([("MESSAGE", telling.message.as_str())]);
    let env = facts
        .map(|(name, value)| (format!("SUP_{name}").into(), value.into()))
        .gather();
    let name = exec.first().map(|word| word.to_string_lossy());
    let name = name.unwrap_or_default();
    let ran = program::run(command, env, &[])
        .await
        .map_err(|fault| Fault::lasting(format!("{name}: {fault}")))?;
    if ran.exit == Exit::Code(0) {
        Ok(ran.words())
    } else {
        Err(Fault::lasting(format!("{name}: {}", ran.words())))
    }
}

//! What the system says a process has used.

use crate::BenchError;
use differential::{Program, Side};
use std::{fs, io, time::Duration};
use tokio::time::sleep;

/// Ticks of the system's processor clock in a second, on every Linux there is.
const TICKS: u64 = 100;

/// How often a process is looked at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Waits for `done`, which takes a controller.
///
/// # Errors
/// Those of `done`, and when the controller ends before.
pub async fn while_runs<T>(
    (side, program): (Side, &mut Program),
    done: impl Future<Output = Result<T, BenchError>>,
) -> Result<T, BenchError> {
    let ends = async {
        while program.runs() {
            sleep(BETWEEN_LOOKS).await;
        }
    };
    tokio::select! {
        biased;
        done = done => done,
        () = ends => Err(BenchError::Ended(side)),
    }
}

/// The processor time that a process was given so far.
///
/// # Errors
/// When there is no such process, or no account of it.
pub fn processor_time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program is in brackets and may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        |at: usize| fields.split_whitespace().nth(at).and_then(|word| word.parse::<u64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).ok_or_else(|| unreadable(pid, "stat"))?;
    Ok(Duration::from_millis((user + system) * 1000 / TICKS))
}

/// A process's memory in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// What is resident now.
    pub resident: u64,
    /// The most that ever was.
    pub peak: u64,
}

/// The memory that a process holds.
///
/// # Errors
/// When there is no such process, or no account of it.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let bytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    };
    let read = bytes("VmRSS:").zip(bytes("VmHWM:"));
    read.map(|(resident, peak)| Memory { resident, peak }).ok_or_else(|| unreadable(pid, "status"))
}

/// Bytes in megabytes.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn unreadable(pid: u32, file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/{file} cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_no_other_has_less_than_none() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
        assert!(processor_time(std::process::id()).is_ok());
        assert!(processor_time(u32::MAX).is_err());
    }
}

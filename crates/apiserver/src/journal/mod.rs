//! Every committed change on disk, so that a cluster outlives its process.
//!
//! One file holds a snapshot and, after it, the changes since. When the changes outweigh the snapshot, a
//! new file is written beside it, synced, and renamed over to the next number; the old one goes last. So at
//! every moment there is a whole file to start from.
//!
//! Each change is handed to the operating system before the request that made it is answered: it survives
//! the death of the process (`kill -9`). The disk is synced at most once a second while changes are written
//! and at every snapshot, so a power cut may cost the last second.

mod ledger;
mod record;

use jiff::{SignedDuration, Timestamp};
use ledger::Ledger;
use record::Records;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use store::{Change, Store};

/// The mode of a journal's files.
#[cfg(unix)]
const OWNER_ONLY: u32 = 0o600;

/// How many bytes of changes a file takes at least before a new snapshot is made.
const COMPACT_AFTER: u64 = 16 << 20;

/// How long a written change may wait for the disk.
const SYNC_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// The end of a journal file's name; the beginning is its number.
const SUFFIX: &str = ".journal";

/// The end of the name of a file that is still being written.
const UNFINISHED: &str = "unfinished";

/// Why a journal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or the directory could not be read or written.
    #[error("{} could not be used", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file does not begin with a whole snapshot.
    #[error("{} is damaged: it does not begin with a whole snapshot", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// Another process uses the directory.
    #[error("{} is in use by another process", directory.display())]
    InUse {
        /// Which directory.
        directory: PathBuf,
    },
}

/// An open journal.
pub(crate) struct Journal {
    directory: PathBuf,
    number: u64,
    file: File,
    ledger: Ledger,
    snapshot_bytes: u64,
    change_bytes: u64,
    synced_at: Timestamp,
    health: Health,
    /// Held as long as the journal is open.
    lock: Option<File>,
}

/// Whether the file holds every change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Whole,
    /// A write failed; the next one makes a new snapshot.
    Behind,
}

impl Journal {
    /// Opens the journal of a directory, or starts one, and brings its objects back.
    pub(crate) fn open(
        directory: &Path,
        seed: u64,
        now: Timestamp,
    ) -> Result<(Store, Self), JournalError> {
        fs::create_dir_all(directory).map_err(at(directory))?;
        let lock = lock(directory)?;
        let (store, mut journal) = match newest(directory)? {
            Some(number) => Self::reopen(directory, number, seed, now),
            None => Self::begin(directory, seed, now),
        }?;
        journal.lock = Some(lock);
        Ok((store, journal))
    }

    fn new(
        (directory, number): (&Path, u64),
        ledger: Ledger,
        file: File,
        snapshot_bytes: u64,
        synced_at: Timestamp,
    ) -> Self {
        let directory = directory.to_owned();
        let health = Health::Whole;
        Self {
            directory,
            number,
            file,
            ledger,
            snapshot_bytes,
            change_bytes: 0,
            synced_at,
            health,
            lock: None,
        }
    }

    /// Writes down changes in their order. A failure is logged, and made good by the next snapshot.
    pub(crate) fn append(&mut self, changes: &[Change], now: Timestamp) {
        if changes.is_empty() {
            return;
        }
        let mut bytes = Vec::new();
        for change in changes {
            record::encode(&self.ledger.enter(change), &mut bytes);
        }
        if let Err(error) = self.write(&bytes, now) {
            self.health = Health::Behind;
            tracing::error!(error = %error, "journal was not written; it will be made anew");
        }
    }

    fn write(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), JournalError> {
        if self.health == Health::Behind || self.is_heavy() {
            return self.compact(now);
        }
        let path = path(&self.directory, self.number);
        self.file.write_all(bytes).map_err(at(&path))?;
        self.change_bytes += bytes.len() as u64;
        if now.duration_since(self.synced_at) >= SYNC_EVERY {
            self.file.sync_data().map_err(at(&path))?;
            self.synced_at = now;
        }
        Ok(())
    }

    fn is_heavy(&self) -> bool {
        self.change_bytes > COMPACT_AFTER && self.change_bytes > self.snapshot_bytes
    }

    /// Starts the next file with everything there is, then removes the present one.
    fn compact(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let number = self.number + 1;
        let (file, bytes) = write_snapshot(&self.directory, number, &self.ledger)?;
        let old = std::mem::replace(&mut self.number, number);
        self.file = file;
        self.snapshot_bytes = bytes;
        self.change_bytes = 0;
        self.synced_at = now;
        self.health = Health::Whole;
        let old = path(&self.directory, old);
        fs::remove_file(&old).map_err(at(&old))
    }

    fn begin(directory: &Path, seed: u64, now: Timestamp) -> Result<(Store, Self), JournalError> {
        let store = Store::new(seed, now);
        let ledger = Ledger::of(&store);
        let (file, bytes) = write_snapshot(directory, 1, &ledger)?;
        Ok((store, Self::new((directory, 1), ledger, file, bytes, now)))
    }

    fn reopen(
        directory: &Path,
        number: u64,
        seed: u64,
        now: Timestamp,
    ) -> Result<(Store, Self), JournalError> {
        let path = path(directory, number);
        let (ledger, whole) = read(&path)?;
        let mut file = OpenOptions::new().write(true).open(&path).map_err(at(&path))?;
        file.set_len(whole).map_err(at(&path))?;
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(OWNER_ONLY))
            .map_err(at(&path))?;
        file.seek(SeekFrom::End(0)).map_err(at(&path))?;
        let mut store = Store::empty(seed);
        for change in ledger.restored() {
            store.restore(change, now);
        }
        store.restored();
        Ok((store, Self::new((directory, number), ledger, file, whole, now)))
    }
}

/// Keeps other processes out of the directory until the file is closed.
fn lock(directory: &Path) -> Result<File, JournalError> {
    let path = directory.join("lock");
    let file = create(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(JournalError::InUse { directory: directory.to_owned() })
        }
        Err(TryLockError::Error(source)) => Err(JournalError::File { path, source }),
    }
}

/// The contents of a file and how many of its bytes are whole records.
fn read(path: &Path) -> Result<(Ledger, u64), JournalError> {
    let bytes = fs::read(path).map_err(at(path))?;
    let mut records = Records::of(&bytes);
    let ledger = Ledger::read(&mut records);
    let ledger = ledger.ok_or_else(|| JournalError::Damaged { path: path.to_owned() })?;
    let torn = bytes.len() - records.whole;
    if torn > 0 {
        tracing::warn!(path = %path.display(), bytes = torn, "journal had a torn end; it was cut");
    }
    Ok((ledger, records.whole as u64))
}

/// The newest journal file of a directory; files that were never finished are removed.
fn newest(directory: &Path) -> Result<Option<u64>, JournalError> {
    let mut newest = None;
    for entry in fs::read_dir(directory).map_err(at(directory))? {
        let path = entry.map_err(at(directory))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(UNFINISHED) {
            fs::remove_file(&path).map_err(at(&path))?;
        } else if let Some(number) = name.strip_suffix(SUFFIX).and_then(|name| name.parse().ok()) {
            newest = newest.max(Some(number));
        }
    }
    Ok(newest)
}

/// Writes a whole file beside the others and renames it when it is on disk.
fn write_snapshot(
    directory: &Path,
    number: u64,
    ledger: &Ledger,
) -> Result<(File, u64), JournalError> {
    let path = path(directory, number);
    let unfinished = path.with_extension(UNFINISHED);
    let bytes = ledger.snapshot();
    let mut file = create(&unfinished).map_err(at(&unfinished))?;
    file.write_all(&bytes).map_err(at(&unfinished))?;
    file.sync_all().map_err(at(&unfinished))?;
    fs::rename(&unfinished, &path).map_err(at(&path))?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(directory))?;
    Ok((file, bytes.len() as u64))
}

/// An empty file that only its owner may read: a journal holds secrets.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, OWNER_ONLY);
    let file = options.open(path)?;
    // One that was there before keeps its mode.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(OWNER_ONLY))?;
    Ok(file)
}

fn at(path: &Path) -> impl Fn(io::Error) -> JournalError {
    move |source| JournalError::File { path: path.to_owned(), source }
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:010}{SUFFIX}"))
}

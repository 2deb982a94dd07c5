//! The folder `conformance/`: sequences, recordings, and what differs on purpose.

use crate::answer::{Answer, Recording};
use crate::compare::{Difference, compare};
use crate::deliberate::{Deliberate, Tally};
use crate::exchange::{ExchangeError, Sequence};
use crate::play::{PlayError, play};
use crate::subject::{Subject, SubjectError};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The list of exchanges that differ and should not, within the folder.
const OPEN: &str = "open.txt";

/// How that list begins.
const OPEN_HEAD: &str = "\
# Exchanges whose answers still differ from a real server's, and should not. The list only gets shorter:
# one that no longer differs fails the run until it is taken out (`cargo xtask conformance open`).
";

/// Everything the folder holds.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    /// The sequences by name, in the order of their names.
    pub sequences: Vec<(String, Sequence)>,
    /// What differs on purpose.
    pub deliberate: Vec<Deliberate>,
    /// The exchanges that differ and should not, as `sequence: exchange`; the list only gets shorter.
    pub open: BTreeSet<String>,
}

/// Why the folder could not be used, or a server not be asked.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A file could not be read or written.
    #[error("{path} could not be used")]
    File {
        /// Which file.
        path: String,
        /// What happened.
        source: std::io::Error,
    },
    /// A sequence is not one.
    #[error("a sequence was not understood")]
    Sequence(#[from] ExchangeError),
    /// The list of deliberate differences is not one.
    #[error("{path} is not a list of differences")]
    Deliberate {
        /// Which file.
        path: String,
        /// What is wrong.
        source: Box<serde_saphyr::Error>,
    },
    /// A recording is not one.
    #[error("{path} is not a recording")]
    Recording {
        /// Which file.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A server could not be started or reached.
    #[error("no server to ask")]
    Subject(#[from] SubjectError),
    /// A sequence could not be played.
    #[error("{sequence} could not be played")]
    Play {
        /// The sequence.
        sequence: String,
        /// What happened.
        source: PlayError,
    },
}

/// What a comparison of many sequences found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The server the embedded one was held to.
    pub server: String,
    /// How many exchanges were compared.
    pub exchanges: usize,
    /// The differences nobody stands by, each with its sequence.
    pub differences: Vec<(String, Difference)>,
    /// Entries of the lists of differences where nothing differs.
    pub stale: Vec<String>,
    /// The exchanges that are known to differ and should not.
    pub open: BTreeSet<String>,
}

impl Outcome {
    /// Whether what differs is what is known to differ, no more and no less.
    pub fn is_as_known(&self) -> bool {
        self.surprises().is_empty() && self.stale.is_empty()
    }

    /// The exchanges that differ and are not known to.
    pub fn surprises(&self) -> Vec<String> {
        let differing = self.named();
        differing.into_iter().filter(|one| !self.open.contains(one)).collect()
    }

    fn named(&self) -> BTreeSet<String> {
        let name =
            |(sequence, found): &(String, Difference)| format!("{sequence}: {}", found.exchange);
        self.differences.iter().map(name).collect()
    }

    /// How many exchanges are answered differently.
    pub fn differing(&self) -> usize {
        self.named().len()
    }
}

impl Library {
    /// Reads the sequences and the deliberate differences of a folder.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or understood.
    pub fn open(folder: &Path) -> Result<Self, LibraryError> {
        let mut files = yaml_files(&folder.join("exchanges"))?;
        files.sort();
        let mut sequences = Vec::new();
        for path in files {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let sequence = Sequence::parse(&name, &read(&path)?)?;
            sequences.push((name, sequence));
        }
        let path = folder.join("differences.yaml");
        let deliberate = serde_saphyr::from_str(&read(&path)?).map_err(|source| {
            let path = path.display().to_string();
            LibraryError::Deliberate { path, source: Box::new(source) }
        })?;
        let open = read(&folder.join(OPEN))?;
        let names = open.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let open = names.map(str::to_owned).collect();
        Ok(Self { folder: folder.to_owned(), sequences, deliberate, open })
    }

    /// Keeps the sequences whose name contains `part`.
    #[must_use]
    pub fn narrowed(mut self, part: &str) -> Self {
        self.sequences.retain(|(name, _)| name.contains(part));
        self
    }

    /// Keeps the exchanges that differ in the list of those that should not; the answer is how many.
    ///
    /// # Errors
    ///
    /// When the list cannot be written.
    pub fn write_open(&self, outcome: &Outcome) -> Result<usize, LibraryError> {
        let names = outcome.named();
        let lines: String = names.iter().flat_map(|name| [name.as_str(), "\n"]).collect();
        let path = self.folder.join(OPEN);
        std::fs::write(&path, format!("{OPEN_HEAD}{lines}"))
            .map_err(|source| file(&path, source))?;
        Ok(names.len())
    }

    /// Brings the documentation's table of deliberate differences up to date.
    ///
    /// # Errors
    ///
    /// When the document cannot be read or written.
    pub fn write_document(&self) -> Result<(), LibraryError> {
        let path = self.folder.join("../docs/embedded-cluster.md");
        let document = read(&path)?;
        let Some(new) = crate::document::section(&document, &self.deliberate) else {
            return Ok(());
        };
        std::fs::write(&path, new).map_err(|source| file(&path, source))
    }

    /// What the real server answered to a sequence when it was recorded.
    ///
    /// # Errors
    ///
    /// When there is no recording.
    pub fn recording(&self, name: &str) -> Result<Recording, LibraryError> {
        let path = self.recorded(name);
        let text = read(&path)?;
        serde_json::from_str(&text).map_err(|source| {
            let path = path.display().to_string();
            LibraryError::Recording { path, source }
        })
    }

    /// Plays every sequence against a real server and keeps its answers.
    ///
    /// # Errors
    ///
    /// When a sequence cannot be played, or a file not be written.
    pub async fn record(&self, real: &Subject) -> Result<usize, LibraryError> {
        let mut count = 0;
        for (name, sequence) in &self.sequences {
            let answers = self.ask(real, name, sequence).await?;
            count += answers.len();
            let recording = Recording { server: real.version.clone(), answers };
            let path = self.recorded(name);
            std::fs::write(&path, recording.to_text()).map_err(|source| file(&path, source))?;
        }
        Ok(count)
    }

    /// Plays a sequence.
    ///
    /// # Errors
    ///
    /// When the server does not answer.
    pub async fn ask(
        &self,
        subject: &Subject,
        name: &str,
        sequence: &Sequence,
    ) -> Result<Vec<Answer>, LibraryError> {
        let played = play(&subject.client, name, sequence).await;
        played.map_err(|source| LibraryError::Play { sequence: name.to_owned(), source })
    }

    /// Holds the embedded server to the recordings; each sequence gets a fresh one.
    ///
    /// # Errors
    ///
    /// When a recording is missing or a sequence cannot be played.
    pub async fn replay(&self) -> Result<Outcome, LibraryError> {
        let mut tally = Tally::new(&self.deliberate);
        let mut outcome = Outcome::default();
        for (name, sequence) in &self.sequences {
            let recording = self.recording(name)?;
            let subject = Subject::embedded()?;
            let ours = self.ask(&subject, name, sequence).await;
            let found = ours.map_or_else(
                |error| vec![unplayed(&error)],
                |ours| differences(&recording.answers, &ours),
            );
            let found = tally.others(name, found);
            outcome.server = recording.server;
            outcome.exchanges += sequence.counted();
            outcome.differences.extend(found.into_iter().map(|found| (name.clone(), found)));
        }
        outcome.stale = tally.stale();
        let differing = outcome.named();
        outcome.open.clone_from(&self.open);
        let gone = self.open.iter().filter(|one| !differing.contains(*one));
        outcome.stale.extend(gone.cloned());
        Ok(outcome)
    }

    /// Holds a real server to the recordings: they must still say what it answers.
    ///
    /// # Errors
    ///
    /// When a recording is missing or a sequence cannot be played.
    pub async fn verify(&self, real: &Subject) -> Result<Outcome, LibraryError> {
        let mut outcome = Outcome { server: real.version.clone(), ..Outcome::default() };
        for (name, sequence) in &self.sequences {
            let recording = self.recording(name)?;
            let answers = self.ask(real, name, sequence).await?;
            let found = differences(&answers, &recording.answers);
            outcome.exchanges += sequence.counted();
            outcome.differences.extend(found.into_iter().map(|found| (name.clone(), found)));
        }
        Ok(outcome)
    }

    fn recorded(&self, name: &str) -> PathBuf {
        self.folder.join("recorded").join(format!("{name}.json"))
    }
}

/// Where the embedded server broke a sequence off.
fn unplayed(error: &LibraryError) -> Difference {
    let why =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    Difference {
        exchange: "the sequence".to_owned(),
        place: "played".to_owned(),
        real: Some(Value::Bool(true)),
        ours: Some(Value::from(why)),
    }
}

/// Everything that differs; an exchange that only one side has differs as a whole.
fn differences(real: &[Answer], ours: &[Answer]) -> Vec<Difference> {
    let mut found = Vec::new();
    for at in 0..real.len().max(ours.len()) {
        match (real.get(at), ours.get(at)) {
            (Some(real), Some(ours)) if real.name == ours.name => found.extend(compare(real, ours)),
            (real, ours) => found.push(Difference {
                exchange: real.or(ours).map(|answer| answer.name.clone()).unwrap_or_default(),
                place: "name".to_owned(),
                real: real.map(|answer| Value::from(answer.name.as_str())),
                ours: ours.map(|answer| Value::from(answer.name.as_str())),
            }),
        }
    }
    found
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>, LibraryError> {
    let entries = std::fs::read_dir(folder).map_err(|source| file(folder, source))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")).collect())
}

fn read(path: &Path) -> Result<String, LibraryError> {
    std::fs::read_to_string(path).map_err(|source| file(path, source))
}

fn file(path: &Path, source: std::io::Error) -> LibraryError {
    LibraryError::File { path: path.display().to_string(), source }
}

//! Calls under an idempotency key: the same call again does nothing again and is answered the same.
//!
//! A call is recorded before it acts, with a lease and with a secret seed. Every id and every secret that it
//! makes follows from the seed. So whoever calls again after a crash between act and record derives the same
//! ids, and finds what is there instead of making it twice (docs/adr/0011).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stagepost_domain::disposition::Disposition;
use stagepost_domain::id::{ShopId, content_key};
use stagepost_domain::run::later;
use stagepost_domain::shop::Role;
use stagepost_domain::signing::derived;
use stagepost_domain::{SignedDuration, Timestamp};

use crate::Core;
use crate::ports::{
    CallRecord, CallState, CallStore, CommitError, Entropy, SecretError, SecretKind, Secrets, StoreError,
};

/// How long a key is remembered.
pub const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How long a call may take before it is presumed dead: API Gateway gives up after 30 seconds.
pub const LEASE: SignedDuration = SignedDuration::from_secs(40);
/// Letters of an id's body that tell the time; the others are chance.
const TIME_LETTERS: usize = 10;
/// As in every id: Crockford's alphabet, lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A call as it came.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Whose.
    pub shop: &'a ShopId,
    /// Who calls, and as what: nobody is answered with what another was told, nor with what one may no longer see.
    pub by: By<'a>,
    /// Method and path.
    pub route: &'a str,
    /// The caller's key.
    pub key: &'a str,
    /// Hash of the body.
    pub body: String,
}

/// Who makes a call.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The id of the key or of the person.
    pub who: &'a str,
    /// What they may do now.
    pub role: Role,
}

/// What was answered, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// `ETag`, if there was one.
    pub etag: Option<String>,
    /// The JSON body, byte for byte.
    pub body: String,
}

impl Answered {
    /// A line each for status and tag, then the body as it is: escaped once more it would be twice as long.
    fn to_text(&self) -> String {
        format!("{}\n{}\n{}", self.status, self.etag.as_deref().unwrap_or_default(), self.body)
    }

    fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '\n');
        let status = parts.next()?.parse().ok()?;
        let etag = parts.next().filter(|etag| !etag.is_empty()).map(str::to_owned);
        Some(Self { status, etag, body: parts.next()?.to_owned() })
    }
}

/// How a call begins.
pub enum Begun {
    /// Act, then say how it went with [`finish`].
    Act(Box<Lease>),
    /// It was done: this was the answer.
    Replay(Answered),
    /// Somebody is at it.
    InProgress {
        /// When they are presumed dead.
        until: Timestamp,
    },
    /// The key was used for a call that said something else.
    OtherBody,
}

/// How a call went.
pub enum Ended {
    /// It was done.
    Done(Answered),
    /// It was refused, without effect.
    Refused,
    /// Nobody knows: it may be tried again at once, with the same ids.
    Unknown,
}

/// The right to act.
pub struct Lease {
    record: CallRecord,
    entropy: Arc<dyn Entropy>,
    resumed: bool,
}

impl Lease {
    /// Whether the call began before and nobody knows how it ended: it may have been done.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The source of everything that the call makes.
    #[must_use]
    pub fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.entropy)
    }
}

/// A call could not be begun or recorded.
#[derive(Debug, thiserror::Error)]
pub enum OnceError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The seed or the answer could not be sealed or opened.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What was opened is not what was sealed.
    #[error("the record of a call cannot be read")]
    Corrupt,
}

impl OnceError {
    /// What to do about it.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Store(e) => e.disposition(),
            Self::Secret(e) => e.disposition,
            Self::Corrupt => Disposition::Permanent,
        }
    }
}

/// Takes the right to make a call, or says why not.
///
/// # Errors
/// The store or the secrets failed; nothing was done.
pub async fn begin<S: CallStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    call: &Call<'_>,
) -> Result<Begun, OnceError> {
    let now = core.now();
    let id = content_key(&["call", call.by.who, call.route, call.key]);
    let said = content_key(&[call.by.role.as_str(), &call.body]);
    let until = later(now, LEASE);
    let there = core.store.call(call.shop, &id, now).await?;
    let resumed = there.as_ref().is_some_and(|there| !matches!(there.state, CallState::Refused));
    let (seed, record) = match there {
        None => {
            let seed = core.entropy.bytes();
            let sealed = secrets.seal(call.shop.into(), SecretKind::Call, &hex(&seed)).await?;
            let record = CallRecord {
                shop: call.shop.clone(),
                id,
                body: said,
                began_at: now,
                seed: sealed,
                version: 1,
                state: CallState::Running { until },
            };
            (seed, record)
        }
        Some(there) => match again(secrets, call, &said, there, now).await? {
            Err(begun) => return Ok(begun),
            Ok(there) => {
                let plain = secrets.open(call.shop.into(), SecretKind::Call, &there.seed).await?;
                let version = there.version.saturating_add(1);
                let state = CallState::Running { until };
                let seed = unhex(&plain).ok_or(OnceError::Corrupt)?;
                (seed, CallRecord { body: said, version, state, ..there })
            }
        },
    };
    match core.store.put_call(&record).await {
        Ok(()) => {
            let entropy = Arc::new(Derived::new(seed, record.began_at, Arc::clone(&core.entropy)));
            Ok(Begun::Act(Box::new(Lease { record, entropy, resumed })))
        }
        Err(CommitError::LostRace | CommitError::Conflict) => Ok(Begun::InProgress { until }),
        Err(CommitError::Store(e)) => Err(e.into()),
    }
}

/// What a key that is known means for this call: the record to take over, or how it ends here.
async fn again<K: Secrets>(
    secrets: &K,
    call: &Call<'_>,
    said: &str,
    there: CallRecord,
    now: Timestamp,
) -> Result<Result<CallRecord, Begun>, OnceError> {
    let same = there.body == said;
    Ok(match &there.state {
        CallState::Refused => Ok(there),
        _ if !same => Err(Begun::OtherBody),
        CallState::Running { until } if now < *until => Err(Begun::InProgress { until: *until }),
        CallState::Running { .. } => Ok(there),
        CallState::Answered { answer } => {
            let plain = secrets.open(call.shop.into(), SecretKind::Call, answer).await?;
            Err(Begun::Replay(Answered::from_text(&plain).ok_or(OnceError::Corrupt)?))
        }
    })
}

/// Records how a call went. An answer that is too long to be kept is not: the same call again finds what this one
/// made, and answers as it is then.
///
/// # Errors
/// The store or the secrets failed. The lease ends by itself, and the same call again finds what this one made.
pub async fn finish<S: CallStore, K: Secrets>(
    core: &Core<S>,
    secrets: &K,
    lease: Lease,
    ended: &Ended,
) -> Result<(), OnceError> {
    let record = lease.record;
    let free = CallState::Running { until: core.now() };
    let state = match ended {
        Ended::Done(answered) => {
            let sealed = secrets.seal((&record.shop).into(), SecretKind::Call, &answered.to_text()).await;
            match sealed {
                Err(e) if e.disposition == Disposition::Permanent => free.clone(),
                sealed => CallState::Answered { answer: sealed? },
            }
        }
        Ended::Refused => CallState::Refused,
        Ended::Unknown => free.clone(),
    };
    let version = record.version.saturating_add(1);
    let record = CallRecord { version, state, ..record };
    match core.store.put_call(&record).await {
        Err(CommitError::Store(StoreError::TooLarge)) => {
            recorded(core.store.put_call(&CallRecord { state: free, ..record }).await)
        }
        written => recorded(written),
    }
}

fn recorded(written: Result<(), CommitError>) -> Result<(), OnceError> {
    match written {
        // Whoever took over after the lease will record it.
        Ok(()) | Err(CommitError::LostRace | CommitError::Conflict) => Ok(()),
        Err(CommitError::Store(e)) => Err(e.into()),
    }
}

/// Ids and secrets that follow from a seed. Chance that shows nowhere stays chance.
struct Derived {
    seed: [u8; 32],
    time: String,
    ids: AtomicU64,
    secrets: AtomicU64,
    chance: Arc<dyn Entropy>,
}

impl Derived {
    fn new(seed: [u8; 32], began_at: Timestamp, chance: Arc<dyn Entropy>) -> Self {
        let millis = u64::try_from(began_at.as_millisecond()).unwrap_or_default();
        let letter = |i: usize| letter((millis >> (5 * (TIME_LETTERS - 1 - i))) as u8);
        let time = (0..TIME_LETTERS).map(letter).collect();
        Self { seed, time, ids: AtomicU64::new(0), secrets: AtomicU64::new(0), chance }
    }
}

impl Entropy for Derived {
    fn id_body(&self) -> String {
        let bytes = derived(&self.seed, "id", self.ids.fetch_add(1, Ordering::Relaxed));
        let chance: String = bytes.iter().take(16).map(|b| letter(*b)).collect();
        format!("{}{chance}", self.time)
    }

    fn fraction(&self) -> f64 {
        self.chance.fraction()
    }

    fn bytes(&self) -> [u8; 32] {
        derived(&self.seed, "secret", self.secrets.fetch_add(1, Ordering::Relaxed))
    }
}

fn letter(bits: u8) -> char {
    char::from(ALPHABET.get(usize::from(bits & 31)).copied().unwrap_or(b'0'))
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let byte = |i: usize| u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..32).map_while(byte).collect();
    bytes.try_into().ok()
}

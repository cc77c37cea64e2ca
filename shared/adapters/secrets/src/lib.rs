//! Secrets at rest: sealed with a key of the deployment, bound to the shop and to what they are for (law 19).
//!
//! Two schemes, each of which names itself in front of what it sealed: `v1:` is a key of the deployment's own
//! (a file, or [`LocalSecrets::from_key`]), `k1:` is the key service of AWS (feature `kms`). A deployment
//! seals with one of them and opens what either sealed, as long as the key is there: [`DeployedSecrets`].

mod cipher;
#[cfg(feature = "kms")]
mod deployed;
mod key_file;
#[cfg(feature = "kms")]
mod kms;
mod local;

pub use cipher::KEY_LEN;
#[cfg(feature = "kms")]
pub use deployed::{DeployedSecrets, NoKey};
pub use key_file::KeyFileError;
#[cfg(feature = "kms")]
pub use kms::{KmsSecrets, client};
pub use local::LocalSecrets;

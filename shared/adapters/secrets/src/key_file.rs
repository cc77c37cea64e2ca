//! The key's file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};

use crate::{KEY_LEN, LocalSecrets};

/// The key could not be had. Without it the stored secrets cannot be opened, so it is never replaced.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("the key file cannot be read or created")]
    Io(#[from] io::Error),
    /// The file is there, but it is not 32 bytes.
    #[error("the key file is not a key of 32 bytes")]
    NotAKey,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandom,
}

impl LocalSecrets {
    /// Takes the key from a file, which is made the first time, readable by its owner only.
    ///
    /// # Errors
    /// The file cannot be read or made, or it holds something else.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyFileError> {
        match read(path) {
            Err(KeyFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                create(path)?;
                Self::from_key(read(path)?)
            }
            key => Self::from_key(key?),
        }
    }
}

/// Makes the file whole or not at all: it is written under a name of this process and then given its own, which
/// fails if another process was faster. A start that is killed in between leaves nothing that looks like a key.
fn create(path: &Path) -> Result<(), KeyFileError> {
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let _left_by_a_killed_start = std::fs::remove_file(&draft);
    fill(create_new(&draft)?)?;
    let named = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match named {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(sync_folder(path)?),
    }
}

/// The name as well must survive a power cut, before anything is sealed with the key.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        #[cfg(unix)]
        Some(folder) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn fill(mut file: File) -> Result<(), KeyFileError> {
    let mut key = [0; KEY_LEN];
    SystemRandom::new().fill(&mut key).map_err(|_| KeyFileError::NoRandom)?;
    file.write_all(&key)?;
    Ok(file.sync_all()?)
}

fn read(path: &Path) -> Result<[u8; KEY_LEN], KeyFileError> {
    let mut bytes = Vec::with_capacity(KEY_LEN);
    let limit = u64::try_from(KEY_LEN).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    bytes.try_into().map_err(|_| KeyFileError::NotAKey)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use stagepost_app::ports::{SecretKind, Secrets};
    use stagepost_domain::id::ShopId;

    use super::*;

    /// A folder of this test's own, gone when it ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("stagepost-secrets-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn what_was_sealed_opens_after_a_restart() {
        let folder = Folder::new("restart");
        let path = folder.0.join("key");
        let shop = ShopId::parse("shop_a").unwrap();
        let before = LocalSecrets::open_or_create(&path).unwrap();
        let sealed = before.seal((&shop).into(), SecretKind::EndpointSecret, "whsec_x").await.unwrap();
        let after = LocalSecrets::open_or_create(&path).unwrap();
        assert_eq!(after.open((&shop).into(), SecretKind::EndpointSecret, &sealed).await.unwrap(), "whsec_x");
    }

    #[test]
    #[cfg(unix)]
    fn only_its_owner_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new("mode");
        let path = folder.0.join("key");
        LocalSecrets::open_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read(&path).unwrap().len(), KEY_LEN);
    }

    #[test]
    fn a_start_that_was_killed_while_it_made_the_key_does_not_stop_the_next() {
        let folder = Folder::new("killed");
        let path = folder.0.join("key");
        std::fs::write(path.with_extension(format!("{}.new", std::process::id())), "half a k").unwrap();
        LocalSecrets::open_or_create(&path).unwrap();
        let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["key"]);
    }

    #[test]
    fn two_starts_at_once_end_with_one_key() {
        let folder = Folder::new("race");
        let path = folder.0.join("key");
        fill(create_new(&path).unwrap()).unwrap();
        let first = std::fs::read(&path).unwrap();
        create(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let folder = Folder::new("garbage");
        let path = folder.0.join("key");
        for garbage in ["", "too short", &"x".repeat(KEY_LEN + 1)] {
            std::fs::write(&path, garbage).unwrap();
            assert!(matches!(LocalSecrets::open_or_create(&path), Err(KeyFileError::NotAKey)));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), *garbage);
        }
    }

    #[test]
    fn a_folder_that_is_missing_is_told() {
        let folder = Folder::new("missing");
        let path = folder.0.join("no/such/key");
        assert!(matches!(LocalSecrets::open_or_create(&path), Err(KeyFileError::Io(_))));
    }
}

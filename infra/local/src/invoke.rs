//! One call of a function, as isolated as a Lambda invocation: it may panic or hang, and only it ends.

use std::time::Duration;

use tokio::task::JoinSet;

/// A function gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// It panicked.
    #[error("the function panicked")]
    Panicked,
    /// It ran out of time.
    #[error("the function ran out of time")]
    TimedOut,
}

/// Runs a call in a task of its own for `limit` at most. Dropping this ends the call, too.
pub async fn invoke<T: Send + 'static>(
    limit: Duration,
    call: impl Future<Output = T> + Send + 'static,
) -> Result<T, Failed> {
    let mut task = JoinSet::new();
    task.spawn(call);
    match tokio::time::timeout(limit, task.join_next()).await {
        Ok(Some(Ok(answer))) => Ok(answer),
        Ok(_) => Err(Failed::Panicked),
        Err(_) => Err(Failed::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_and_a_hang_end_their_own_call_only() {
        let limit = Duration::from_secs(1);
        assert_eq!(invoke(limit, async { 1 }).await, Ok(1));
        assert_eq!(invoke(limit, async { panic!("one bad call") }).await, Err::<(), _>(Failed::Panicked));
        assert_eq!(invoke(limit, std::future::pending::<()>()).await, Err(Failed::TimedOut));
    }
}

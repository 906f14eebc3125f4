//! Clients, and the limit that every call has.

use std::{
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::error::{describe, error_chain};

/// Longest time of one call. Leases last 15 s and are renewed every 5 s; a holder stops 3 s before the end, 12 s after
/// its last good renewal was sent. The renewals sent after 5 s and 8 s are both over by then, so one slow answer does
/// not cost the lease. And no call is still on its way when the lease has run out.
pub const API_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections that are not there after this are tried anew by the next call; less than `API_TIMEOUT`, so that the
/// error names the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest silence of a response. Ends a list or a watch whose API server went away without a word; longer than a
/// watch is ever silent (`watch::WATCH_SECONDS`), and calls have `API_TIMEOUT` besides.
const READ_TIMEOUT: Duration = Duration::from_secs(35);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The kubeconfig cannot be used.
    #[error("read kubeconfig {path}: {cause}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Neither a kubeconfig nor a service account was found.
    #[error("find an API server: give --kubeconfig, or run in a pod with a service account: {cause}")]
    Infer {
        /// What was tried.
        cause: String,
    },
    /// Certificates or credentials cannot be used.
    #[error("set up the client for {url}: {cause}")]
    Setup {
        /// The API server.
        url: String,
        /// What is wrong.
        cause: String,
    },
}

/// A client for the API server that a kubeconfig names, or else for the one of this pod.
///
/// It never repeats a request by itself: the library's default would send a write again for minutes, long after
/// whoever decided it lost the right to (the ledger must not, and for statuses the next pass does better).
///
/// # Errors
/// The configuration cannot be used; the message says which file and why.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client, ClientError> {
    let config = match kubeconfig {
        Some(path) => from_file(path, &KubeConfigOptions::default()).await?,
        None => Config::infer().await.map_err(|error| ClientError::Infer { cause: error_chain(&error) })?,
    };
    client(config)
}

/// How a person reaches a cluster: what kubectl's flags of the same names say.
#[derive(Clone, Default)]
pub struct Access {
    /// The file; `None`: `$KUBECONFIG`, then `~/.kube/config`, then the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// Context, cluster and user in it; `None`: the current ones.
    pub options: KubeConfigOptions,
    /// The user to act as, if the caller may.
    pub user: Option<String>,
    /// The groups to act as.
    pub groups: Vec<String>,
}

/// A client with the rights of a person, and where its API server is. It repeats nothing by itself, as [`connect`].
///
/// # Errors
/// The configuration cannot be used; the message says which file and why.
pub async fn connect_as(access: &Access) -> Result<(Client, String), ClientError> {
    let infer = |cause| ClientError::Infer { cause };
    let options = &access.options;
    let chooses = options.context.is_some() || options.cluster.is_some() || options.user.is_some();
    let mut config = match &access.kubeconfig {
        Some(path) => from_file(path, options).await?,
        // Only a kubeconfig has contexts: a pod's own account is not what was asked for.
        None if chooses => {
            Config::from_kubeconfig(options).await.map_err(|error| infer(error_chain(&error)))?
        }
        None => Config::infer().await.map_err(|error| infer(error_chain(&error)))?,
    };
    if access.user.is_some() || !access.groups.is_empty() {
        config.auth_info.impersonate.clone_from(&access.user);
        config.auth_info.impersonate_groups = Some(access.groups.clone());
    }
    let url = config.cluster_url.to_string();
    Ok((client(config)?, url))
}

fn client(mut config: Config) -> Result<Client, ClientError> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(API_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.reset_reader_on_write = true;
    let url = config.cluster_url.to_string();
    Client::try_from(config).map_err(|error| ClientError::Setup { url, cause: describe(&error) })
}

async fn from_file(path: &Path, options: &KubeConfigOptions) -> Result<Config, ClientError> {
    let wrong = |cause: String| ClientError::Kubeconfig { path: path.display().to_string(), cause };
    let kubeconfig = Kubeconfig::read_from(path).map_err(|error| wrong(error_chain(&error)))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, options).await;
    config.map_err(|error| wrong(error_chain(&error)))
}

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum CallError {
    /// No answer within `API_TIMEOUT`: whatever it was may have happened.
    Timeout,
    /// The API server's answer, or why it could not be asked.
    Answer(kube::Error),
}

/// Runs a call, or several that belong together, for at most `API_TIMEOUT`.
pub(crate) async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, CallError> {
    match tokio::time::timeout(API_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(CallError::Answer),
        Err(_) => Err(CallError::Timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kubeconfig_that_cannot_be_read_is_named() {
        let error = connect(Some(Path::new("does/not/exist"))).await.err().unwrap().to_string();
        assert!(error.starts_with("read kubeconfig does/not/exist: "), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_ends_at_the_limit() {
        let call = bounded::<()>(std::future::pending());
        assert!(matches!(call.await, Err(CallError::Timeout)));
    }
}

//! Asks a name server all the time, as citizens do.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use hickory_proto::rr::RecordType;
use tokio::task::JoinSet;

use super::ask::ask;

const INTERVAL: Duration = Duration::from_millis(50);

/// Every answer that differs from the one before.
pub struct Watcher {
    seen: Arc<Mutex<Vec<String>>>,
    #[expect(dead_code, reason = "dropping it ends the task")]
    task: JoinSet<()>,
}

impl Watcher {
    /// Begins to ask for the addresses of a name.
    pub fn start(server: SocketAddr, name: &str) -> Self {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (name, noted) = (name.to_owned(), seen.clone());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut ticks = tokio::time::interval(INTERVAL);
            loop {
                ticks.tick().await;
                let Some(reply) = ask(server, &name, RecordType::A).await else { continue };
                let texts: Vec<String> = reply.answers.iter().map(|record| record.data.to_string()).collect();
                let answer = texts.join(" ");
                let mut noted = noted.lock().unwrap();
                if noted.last() != Some(&answer) {
                    noted.push(answer);
                }
            }
        });
        Self { seen, task }
    }

    /// The answers so far, each once in a row. An empty text is an empty answer.
    pub fn answers(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

//! The health pages, over real sockets.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bongsu::{
    domain::RegionName,
    observability::{Build, Metrics, Pages, Readiness, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// Longer than any limit of the server, shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

async fn start() -> Server {
    start_with(|| serde_json::json!({"leader": "daejeon"})).await
}

async fn start_with(status: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let build = Build { version: "0.1.0", commit: "0123abc", region: &RegionName::new("daejeon") };
    let readiness = Readiness::default();
    let pages = Pages {
        metrics: Arc::new(Metrics::new(build).unwrap()),
        readiness: readiness.clone(),
        status: Arc::new(status),
    };
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(serve(listener, pages, async {
        let _ = stopped.await;
    }));
    Server { address, readiness, stop, ended }
}

/// Status line and body.
async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: bongsu.example\r\n\r\n").as_bytes())
        .await
        .unwrap();
    answer(&mut stream).await
}

async fn answer(stream: &mut TcpStream) -> (String, String) {
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("an answer in time").unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[tokio::test]
async fn readyz_names_each_part_that_is_not_ready_and_why() {
    let server = start().await;
    let (line, body) = get(server.address, "/readyz").await;
    assert_eq!((line.as_str(), body.as_str()), (UNAVAILABLE, "[-] start: no part has started yet\n"));
    let [apiserver, ledger] = ["apiserver", "ledger"].map(|name| server.readiness.part(name));
    ledger.ready();
    apiserver.not_ready("cannot reach https://192.0.2.1:6443:\nconnection refused");
    let (line, body) = get(server.address, "/readyz").await;
    assert_eq!(line, UNAVAILABLE);
    assert_eq!(
        body,
        "[-] apiserver: cannot reach https://192.0.2.1:6443: connection refused\n[+] ledger: ok\n"
    );
    apiserver.ready();
    let (line, body) = get(server.address, "/readyz").await;
    assert_eq!((line.as_str(), body.as_str()), (OK, "[+] apiserver: ok\n[+] ledger: ok\n"));
}

const OK: &str = "HTTP/1.1 200 OK";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable";

#[tokio::test]
async fn healthz_is_ok_even_when_no_part_is_ready() {
    let server = start().await;
    assert_eq!(get(server.address, "/healthz").await, (OK.to_owned(), "ok\n".to_owned()));
}

#[tokio::test]
async fn metrics_and_status_show_what_they_were_given() {
    let server = start().await;
    let (line, body) = get(server.address, "/metrics").await;
    assert_eq!(line, OK);
    assert!(
        body.contains(r#"bongsu_build_info{commit="0123abc",region="daejeon",version="0.1.0"} 1"#),
        "{body}"
    );
    assert_eq!(get(server.address, "/status").await, (OK.to_owned(), r#"{"leader":"daejeon"}"#.to_owned()));
    assert_eq!(get(server.address, "/elsewhere").await.0, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn clients_that_never_ask_do_not_keep_the_kubelet_out() {
    let server = start().await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let (line, _) = get(server.address, "/healthz").await;
    assert_eq!(line, OK);
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_being_answered_is_finished_before_the_server_ends() {
    let (asked, has_asked) = oneshot::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let once = std::sync::Mutex::new(Some((asked, may_go_on)));
    let mut server = start_with(move || {
        if let Some((asked, may_go_on)) = once.lock().unwrap().take() {
            asked.send(()).unwrap();
            may_go_on.recv().unwrap();
        }
        serde_json::json!("late")
    })
    .await;
    let request = tokio::spawn(get(server.address, "/status"));
    has_asked.await.unwrap();
    server.stop.send(()).unwrap();
    let early = timeout(Duration::from_millis(200), &mut server.ended).await;
    assert!(early.is_err(), "the server ended while a request was being answered");
    go_on.send(()).unwrap();
    assert_eq!(request.await.unwrap(), (OK.to_owned(), r#""late""#.to_owned()));
    timeout(PATIENCE, server.ended).await.expect("the server ends").unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

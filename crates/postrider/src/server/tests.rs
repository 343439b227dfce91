//! What stops a server besides an order.

use mailtypes::Domain;
use net::Clock;

use super::{Orders, Server, Sockets, open_store};
use crate::config::{Config, Listen};
use crate::failure::code;

#[tokio::test]
async fn a_part_that_ends_stops_the_server() {
    check_stop(|server| server.delivering.abort(), "deliverer").await;
    check_stop(|server| server.control.abort(), "control socket").await;
    check_stop(|server| server.listeners.abort(), "listener of 127.0.0.1").await;
}

async fn check_stop(end: impl FnOnce(&Server), part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        hostname: Domain::parse("mx.example.org").unwrap(),
        data: folder.path().to_owned(),
        listen: vec![Listen::plain("127.0.0.1:0".parse().unwrap())],
        ..Config::default()
    };
    let clock = Clock::system();
    let store = open_store(&config.data, &clock).unwrap();
    let server = Server::start(store, clock, config, None, Sockets::Own(Vec::new())).unwrap();
    end(&server);
    let failure = server.run(Orders::listen(None).unwrap()).await.unwrap_err();
    assert_eq!(failure.code, code::SOFTWARE);
    assert!(failure.cause.contains(part), "{failure}");
}

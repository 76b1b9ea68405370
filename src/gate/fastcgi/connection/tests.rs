use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::http;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};

use super::*;
use crate::http::drain::Drain;

const BEGIN: u8 = 1;
const ABORT: u8 = 2;
const PARAMS: u8 = 4;

fn record(kind: u8, id: u16, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap();
    let mut bytes = vec![1, kind];
    bytes.extend(id.to_be_bytes());
    bytes.extend(len.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(content);
    bytes
}

fn begin(id: u16, role: u8, flags: u8) -> Vec<u8> {
    record(BEGIN, id, &[0, role, flags, 0, 0, 0, 0, 0])
}

/// A whole request.
fn request(id: u16, flags: u8, params: &[u8]) -> Vec<u8> {
    [begin(id, 2, flags), record(PARAMS, id, params), record(PARAMS, id, b"")].concat()
}

fn ended(id: u16, how: u8) -> Vec<u8> {
    record(3, id, &[0, 0, 0, 0, how, 0, 0, 0])
}

/// The answer to a request.
fn answered(id: u16) -> Vec<u8> {
    [record(6, id, b"Status: 403 Forbidden\r\n\r\n"), record(6, id, b""), ended(id, 0)].concat()
}

type Asked = Rc<RefCell<Vec<Params>>>;

/// What comes back for `sent`, whether the connection was fine to the end, and what was asked.
async fn exchange(sent: &[u8]) -> (Vec<u8>, Result<(), ConnectionError>, Vec<Params>) {
    let (mut client, server) = duplex(1 << 20);
    let asked = Asked::default();
    let serving = serve(server, answer(&asked), Arc::new(Drain::default()).watch());
    let client = async {
        client.write_all(sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).await.unwrap();
        back
    };
    let (ended, back) = tokio::join!(serving, client);
    let asked = asked.borrow().clone();
    (back, ended, asked)
}

fn answer(asked: &Asked) -> impl Fn(Params) -> std::future::Ready<Response> {
    let asked = Rc::clone(asked);
    move |params| {
        asked.borrow_mut().push(params);
        let response = http::Response::builder().status(403).body(Full::new(Bytes::new())).unwrap();
        std::future::ready(response)
    }
}

#[tokio::test]
async fn a_request_is_answered_and_the_connection_closed() {
    let two = [request(1, 0, b"one"), request(1, 0, b"two")].concat();
    let (back, result, asked) = exchange(&two).await;
    assert_eq!(back, answered(1));
    assert_eq!(asked, [Params::Whole(b"one".to_vec())]);
    result.unwrap();
}

#[tokio::test]
async fn a_connection_is_kept_if_the_peer_wants_it() {
    let two = [request(1, KEEP_CONN, b"one"), request(500, KEEP_CONN, b"two")].concat();
    let (back, result, asked) = exchange(&two).await;
    assert_eq!(back, [answered(1), answered(500)].concat());
    assert_eq!(asked, [Params::Whole(b"one".to_vec()), Params::Whole(b"two".to_vec())]);
    result.unwrap();
}

#[tokio::test]
async fn parameters_come_in_as_many_records_as_the_peer_likes() {
    let parts = [
        begin(7, 2, 0),
        record(PARAMS, 7, b"ab"),
        // A body, which is not read, and records of a request that there is not.
        record(5, 7, b"body"),
        record(8, 7, b"data"),
        record(PARAMS, 9, b"not this"),
        record(PARAMS, 9, b""),
        record(ABORT, 9, b""),
        record(PARAMS, 7, b"c"),
        record(PARAMS, 7, b""),
        record(5, 7, b""),
    ];
    let (back, result, asked) = exchange(&parts.concat()).await;
    assert_eq!(back, answered(7));
    assert_eq!(asked, [Params::Whole(b"abc".to_vec())]);
    result.unwrap();
}

#[tokio::test]
async fn other_roles_are_refused() {
    for role in [0, 1, 3, 255] {
        let parts = [begin(1, role, KEEP_CONN), record(PARAMS, 1, b"a"), record(PARAMS, 1, b""), request(2, 0, b"b")];
        let (back, result, asked) = exchange(&parts.concat()).await;
        assert_eq!(back, [ended(1, 3), answered(2)].concat(), "{role}");
        assert_eq!(asked, [Params::Whole(b"b".to_vec())]);
        result.unwrap();
    }
    let (back, _, asked) = exchange(&[begin(1, 1, 0), request(2, 0, b"b")].concat()).await;
    assert_eq!((back, asked), (ended(1, 3), vec![]));
}

#[tokio::test]
async fn a_second_request_at_the_same_time_is_refused() {
    let parts = [
        begin(1, 2, 0),
        record(PARAMS, 1, b"a"),
        begin(2, 2, 0),
        record(PARAMS, 2, b"b"),
        record(PARAMS, 2, b""),
        record(PARAMS, 1, b""),
    ];
    let (back, result, asked) = exchange(&parts.concat()).await;
    assert_eq!(back, [ended(2, 1), answered(1)].concat());
    assert_eq!(asked, [Params::Whole(b"a".to_vec())]);
    result.unwrap();
}

#[tokio::test]
async fn an_aborted_request_is_not_answered() {
    let parts = [begin(1, 2, KEEP_CONN), record(PARAMS, 1, b"a"), record(ABORT, 1, b""), request(2, 0, b"b")];
    let (back, _, asked) = exchange(&parts.concat()).await;
    assert_eq!(back, [ended(1, 0), answered(2)].concat());
    assert_eq!(asked, [Params::Whole(b"b".to_vec())]);
}

#[tokio::test]
async fn the_peer_is_told_what_this_side_can_do() {
    let names = b"\x0f\x00FCGI_MPXS_CONNS\x05\x00OTHER\x0d\x00FCGI_MAX_REQS";
    let (back, result, _) = exchange(&[record(9, 0, names), record(9, 0, b"\xff"), record(77, 0, b"?")].concat()).await;
    let values = b"\x0d\x04FCGI_MAX_REQS4096\x0f\x01FCGI_MPXS_CONNS0";
    let expected = [record(10, 0, values), record(10, 0, b""), record(11, 0, &[77, 0, 0, 0, 0, 0, 0, 0])];
    assert_eq!(back, expected.concat());
    result.unwrap();
}

#[tokio::test]
async fn over_long_parameters_are_not_kept() {
    let long = vec![b'a'; MAX_HEAD_LEN / 2 + 1];
    let parts = [begin(1, 2, 0), record(PARAMS, 1, &long), record(PARAMS, 1, &long), record(PARAMS, 1, b"")];
    let (back, _, asked) = exchange(&parts.concat()).await;
    assert_eq!((back, asked), (answered(1), vec![Params::TooLong]));
    let fits = vec![b'a'; MAX_HEAD_LEN / 2];
    let parts = [begin(1, 2, 0), record(PARAMS, 1, &fits), record(PARAMS, 1, &fits), record(PARAMS, 1, b"")];
    let (_, _, asked) = exchange(&parts.concat()).await;
    assert_eq!(asked, [Params::Whole(vec![b'a'; MAX_HEAD_LEN])]);
}

#[tokio::test]
async fn what_no_peer_sends_ends_the_connection() {
    for parts in [
        vec![begin(1, 2, 0), begin(1, 2, 0)],
        vec![record(BEGIN, 1, b"\0\x02")],
        vec![record(BEGIN, 1, b"\0\x02\0\0\0\0\0\0\0")],
        vec![begin(1, 2, 0), record(6, 1, b"")],
        vec![begin(1, 2, 0), record(3, 1, b"")],
        vec![begin(1, 2, 0), record(99, 1, b"")],
        vec![b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()],
        vec![begin(1, 2, 0), record(PARAMS, 1, b"a")],
    ] {
        let (back, result, asked) = exchange(&parts.concat()).await;
        assert_eq!((back, asked), (vec![], vec![]), "{parts:?}");
        assert!(result.is_err(), "{parts:?}");
    }
}

async fn is_closed(client: &mut DuplexStream) -> bool {
    matches!(client.read(&mut [0]).await, Ok(0))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_too_long() {
    for sent in [vec![], vec![1], begin(1, 2, 0), [begin(1, 2, 0), record(PARAMS, 1, b"a")].concat()] {
        let (mut client, server) = duplex(1 << 16);
        let asked = Asked::default();
        client.write_all(&sent).await.unwrap();
        let began = tokio::time::Instant::now();
        let _ = serve(server, answer(&asked), Arc::new(Drain::default()).watch()).await;
        let expected = if sent.is_empty() { IDLE_TIMEOUT } else { REQUEST_TIMEOUT };
        assert!(began.elapsed() >= expected && began.elapsed() < expected + Duration::from_secs(1), "{sent:?}");
        assert!(is_closed(&mut client).await);
    }
}

#[tokio::test]
async fn the_end_of_the_server_ends_idle_connections() {
    let (mut client, server) = duplex(1 << 16);
    let (asked, drain) = (Asked::default(), Arc::new(Drain::default()));
    client.write_all(&request(1, KEEP_CONN, b"a")).await.unwrap();
    let serving = serve(server, answer(&asked), drain.watch());
    let stopping = async {
        let mut back = vec![0; answered(1).len()];
        client.read_exact(&mut back).await.unwrap();
        assert_eq!(back, answered(1));
        drain.begin();
        assert!(is_closed(&mut client).await);
    };
    let (ended, ()) = tokio::join!(serving, stopping);
    ended.unwrap();
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(
        records in proptest::collection::vec(
            (0_u8..14, 0_u16..3, proptest::collection::vec(any::<u8>(), 0..20)), 0..12),
        rest in proptest::collection::vec(any::<u8>(), 0..30),
    ) {
        let mut sent: Vec<u8> = records.iter().flat_map(|(kind, id, content)| record(*kind, *id, content)).collect();
        sent.extend(rest);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (_, _, asked) = runtime.block_on(exchange(&sent));
        prop_assert!(asked.len() <= records.len());
    }
}

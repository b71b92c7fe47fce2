//! Tests with thousands of clients at once, checked against a model.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io::Read,
    net::SocketAddr,
    rc::Rc,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Semaphore,
    task::LocalSet,
    time::timeout,
};

use crate::harness::{DEADLINE, NAME_REQUEST, TestServer, confirmation};

/// Number of clients at once in the model test.
const CLIENTS: usize = 2000;
/// Number of clients that act. Each act reaches all clients, so the load is acts times clients.
const ACTORS: usize = 240;
/// The client that hears all broadcasts. Its order is the reference.
const OBSERVER: usize = 0;

/// All that the test knows, in the order in which it learnt it.
#[derive(Default)]
struct Model {
    /// Counts events.
    now: Cell<u64>,
    /// Since when a client is certainly connected, and until when.
    present: RefCell<HashMap<usize, (u64, u64)>>,
    /// Since when a client is certainly gone.
    gone: RefCell<HashMap<usize, u64>>,
    /// Each broadcast: its sender, whether the sender receives it too, and when it was sent.
    sent: RefCell<Vec<(usize, bool, u64)>>,
    /// Each list: when it was requested, when it came, and the clients in it.
    lists: RefCell<Vec<(u64, u64, Vec<usize>)>>,
}

impl Model {
    fn tick(&self) -> u64 {
        self.now.set(self.now.get() + 1);
        self.now.get()
    }
}

/// A client of the model test.
struct Caller {
    me: usize,
    model: Rc<Model>,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    /// Broadcasts that the client heard.
    heard: Vec<usize>,
    confirmed: u64,
}

impl Caller {
    async fn join(me: usize, address: SocketAddr, model: &Rc<Model>) -> Self {
        let (reader, writer) = TcpStream::connect(address).await.unwrap().into_split();
        let mut caller = Self {
            me,
            model: Rc::clone(model),
            reader: BufReader::new(reader),
            writer,
            heard: Vec::new(),
            confirmed: 0,
        };
        assert_eq!(caller.line().await.unwrap(), NAME_REQUEST);
        caller.send(&format!("c{me}")).await;
        assert_eq!(caller.line().await.unwrap(), confirmation(&format!("c{me}")));
        caller.confirmed = model.tick();
        model.present.borrow_mut().insert(me, (caller.confirmed, u64::MAX));
        caller
    }

    async fn send(&mut self, line: &str) {
        timeout(DEADLINE, self.writer.write_all(format!("{line}\n").as_bytes()))
            .await
            .expect("room")
            .unwrap();
    }

    /// Returns the next line, or `None` at the end.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read =
            timeout(DEADLINE * 3, self.reader.read_line(&mut line)).await.expect("a line in time").unwrap();
        (read > 0).then(|| line.strip_suffix('\n').expect("whole lines").to_owned())
    }

    /// Reads until a line satisfies `ends`, and notes broadcasts and lists.
    async fn hear_until(&mut self, ends: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.line().await.expect("the server to go on");
            match line.split_once(" | all clients | broadcast") {
                Some((_, rest)) => self.heard.push(rest.rsplit("| ").next().unwrap().parse().unwrap()),
                None if line.contains("| list_clients |") => self.note_list(&line),
                None => assert!(ends(&line), "c{} hears {line}", self.me),
            }
            if ends(&line) {
                return line;
            }
        }
    }

    /// Adds part of a list to the last list of the model.
    fn note_list(&self, line: &str) {
        let names = line.split("clients connected: ").nth(1).unwrap();
        let ids = names.split(" , ").map(|name| name[1..].parse::<usize>().unwrap());
        self.model.lists.borrow_mut().last_mut().unwrap().2.extend(ids);
    }

    /// Waits until all requests so far are answered.
    async fn barrier(&mut self) {
        self.send("/echo barrier").await;
        self.hear_until(|line| line.ends_with("| echo | barrier")).await;
    }

    async fn broadcast(&mut self, not_me: bool) -> usize {
        let id = {
            let mut sent = self.model.sent.borrow_mut();
            sent.push((self.me, !not_me, self.model.tick()));
            sent.len() - 1
        };
        self.send(&format!("{} {id}", if not_me { "/others" } else { "/all" })).await;
        id
    }

    async fn act(&mut self, random: &mut fastrand::Rng) {
        for _ in 0..random.usize(..50) {
            tokio::task::yield_now().await;
        }
        let not_me = random.bool();
        self.broadcast(not_me).await;
        self.barrier().await;
    }

    async fn leave(mut self, politely: bool) -> Vec<usize> {
        if let Some(present) = self.model.present.borrow_mut().get_mut(&self.me) {
            present.1 = self.model.tick();
        }
        if politely {
            self.send("/exit").await;
            self.hear_until(|line| line.ends_with("| exit | client disconnected")).await;
            assert_eq!(self.line().await, None, "something after leaving");
            self.model.gone.borrow_mut().insert(self.me, self.model.tick());
        }
        self.heard
    }
}

#[test]
fn two_thousand_clients_against_a_model() {
    let server = TestServer::start();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let model = Rc::new(Model::default());
    let heard = LocalSet::new().block_on(&runtime, run(server.address(), Rc::clone(&model), seed));
    check(&model, &heard);
}

/// A client's history: its number, the broadcasts that it heard, when it was confirmed, and whether it stayed to the
/// end.
type History = (usize, Vec<usize>, u64, bool);

async fn run(address: SocketAddr, model: Rc<Model>, seed: u64) -> Vec<History> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut observer = Caller::join(OBSERVER, address, &model).await;
    let doors = Rc::new(Semaphore::new(64));
    let mut callers = Vec::new();
    for me in 1..CLIENTS {
        let (model, doors, mut random) = (Rc::clone(&model), Rc::clone(&doors), random.fork());
        let acts = me % (CLIENTS / ACTORS) == 0;
        callers.push(tokio::task::spawn_local(async move {
            let door = doors.acquire().await.unwrap();
            let mut caller = Caller::join(me, address, &model).await;
            drop(door);
            if acts {
                caller.act(&mut random).await;
                if random.bool() {
                    let confirmed = caller.confirmed;
                    let politely = random.bool();
                    return Err((me, caller.leave(politely).await, confirmed, false));
                }
            }
            Ok(caller)
        }));
    }
    // Lists are requested one at a time meanwhile.
    let mut staying = Vec::new();
    let mut histories = Vec::new();
    for (place, caller) in callers.into_iter().enumerate() {
        if place % 100 == 0 {
            let asked = model.tick();
            model.lists.borrow_mut().push((asked, 0, Vec::new()));
            observer.send("/list").await;
            observer.barrier().await;
            model.lists.borrow_mut().last_mut().unwrap().1 = model.tick();
        }
        match caller.await.unwrap() {
            Ok(caller) => staying.push(caller),
            Err(history) => histories.push(history),
        }
    }
    let last = observer.broadcast(false).await;
    staying.push(observer);
    for mut caller in staying {
        while caller.heard.last() != Some(&last) {
            caller.hear_until(|line| line.contains(" | all clients | broadcast")).await;
        }
        histories.push((caller.me, caller.heard, caller.confirmed, true));
    }
    histories
}

fn check(model: &Model, histories: &[History]) {
    let sent = model.sent.borrow();
    let order = &histories.iter().find(|history| history.0 == OBSERVER).unwrap().1;
    let place: HashMap<usize, usize> = order.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    assert_eq!(place.len(), order.len(), "the observer heard something twice");
    assert_eq!(order.len(), sent.len(), "the observer missed something");
    for (me, heard, confirmed, _) in histories {
        let Some(first) = heard.first() else { continue };
        // Between the first and the last broadcast that a client hears, it hears all in the reference order, except its
        // own `/others`.
        let span = &order[place[first]..=place[heard.last().unwrap()]];
        let expected: Vec<usize> =
            span.iter().copied().filter(|id| sent[*id].0 != *me || sent[*id].1).collect();
        assert_eq!(heard, &expected, "c{me} heard something else");
        // The first broadcast that it hears is not later than the first that was sent after its confirmation.
        let due = order.iter().position(|id| sent[*id].2 > *confirmed && (sent[*id].0 != *me || sent[*id].1));
        assert!(due.is_none_or(|due| place[first] <= due), "c{me} missed something after joining");
    }
    let (present, gone) = (model.present.borrow(), model.gone.borrow());
    for (asked, came, named) in model.lists.borrow().iter() {
        let mut unique = named.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), named.len(), "someone is listed twice");
        for (me, (from, until)) in present.iter() {
            assert!(
                from > asked || until < came || unique.binary_search(me).is_ok(),
                "c{me} is missing in a list"
            );
        }
        for me in &unique {
            assert!(gone.get(me).is_none_or(|gone| gone > asked), "c{me} is listed though gone");
        }
    }
}

#[test]
fn each_recv_of_two_hundred_unframed_clients_is_one_message() {
    const UNFRAMED: usize = 200;
    const SENDERS: usize = 3;
    // Sixty times the default: the test shows that messages stay apart, not how fast this machine wakes threads. Beside
    // builds, it was seen to take 0.5 s.
    let server = TestServer::with(|config| config.compat.unframed_gap = std::time::Duration::from_secs(3));
    let mut clients: Vec<_> = (0..UNFRAMED).map(|_| server.connect()).collect();
    for (me, client) in clients.iter_mut().enumerate() {
        client.ending = "";
        client.send(&format!("u{me} | server | name | u{me}"));
    }
    for (me, client) in clients.iter_mut().enumerate() {
        client.expect(&confirmation(&format!("u{me}")));
    }
    let mut senders: Vec<_> = (0..SENDERS).map(|me| server.join(&format!("s{me}"))).collect();
    for (me, sender) in senders.iter_mut().enumerate() {
        sender.send(&format!("/all from s{me}"));
    }
    let order: Vec<String> = (0..SENDERS).map(|_| senders[0].line()).collect();
    let receivers: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let expected = order.clone();
            std::thread::Builder::new().stack_size(128 * 1024).spawn(move || {
                let mut buffer = [0; 1024];
                for message in expected {
                    let read = client.stream().read(&mut buffer).unwrap();
                    assert_eq!(String::from_utf8_lossy(&buffer[..read]), message);
                }
            })
        })
        .collect();
    for receiver in receivers {
        receiver.unwrap().join().unwrap();
    }
}

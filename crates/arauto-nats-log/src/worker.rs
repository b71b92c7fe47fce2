//! The log's thread: connects, and then handles what comes from the program and from the server, one by one.
//!
//! Nothing here waits but [`Worker::run`], for the next thing to handle: what is to be sent is handed to the NATS client,
//! or dropped if its queue is full.

use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
    sync::Arc,
    time::{Duration, Instant},
};

use arauto_cluster::Instance;
use async_nats::{Client, ConnectOptions, Event, Statistics, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::{
    sync::mpsc,
    task::{JoinSet, unconstrained},
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    command::{Command, Waiting},
    error::{Refusal, Warning},
    holes::Holes,
    options::Options,
    report::{MAX_WAITING_BYTES, Report},
    room::Room,
    state_sender::{MAX_TRANSFERS, StateTransfer},
    subjects::{Reply, Subjects},
    worker::admission::Admission,
};

mod admission;
mod connecting;
mod reading;

/// Events of the client that wait. It drops others; the state of the connection is looked at as well.
const MAX_WAITING_EVENTS: usize = 256;

/// The state of the connection is looked at this often, should an event have been lost.
const TICK_INTERVAL: Duration = Duration::from_millis(250);

/// From a warning of a kind to the next of that kind.
const WARNING_INTERVAL: Duration = Duration::from_secs(10);

/// Runs the log until the program drops it or has to end.
pub async fn run<D: FnMut(Report)>(
    options: Options,
    client: ConnectOptions,
    mut commands: mpsc::Receiver<Waiting>,
    deliver: D,
) {
    let (sender, events) = mpsc::channel(MAX_WAITING_EVENTS);
    let client = client.event_callback(move |event| {
        // What does not fit is lost, as what the client itself drops.
        let _ = sender.try_send(event);
        std::future::ready(())
    });
    let mut reports = Reports { deliver, warned: HashMap::new() };
    let Some(connected) = connecting::connect(&options, client, &mut commands, &mut reports).await else {
        // Before the reports end: a program that sees their end may rely on it that nothing is taken any more.
        return drop(commands);
    };
    if let Some(mut worker) = Worker::new(options, connected, reports).await {
        worker.run(events, commands).await;
    }
}

/// Gives reports to the program.
struct Reports<D> {
    deliver: D,
    /// When each kind of warning was last reported.
    warned: HashMap<Discriminant<Warning>, Instant>,
}

impl<D: FnMut(Report)> Reports<D> {
    fn report(&mut self, report: Report) {
        (self.deliver)(report);
    }

    fn warn(&mut self, warning: Warning) {
        let now = Instant::now();
        let kind = discriminant(&warning);
        if self.warned.get(&kind).is_none_or(|last| now >= *last + WARNING_INTERVAL) {
            self.warned.insert(kind, now);
            self.report(Report::Warning(warning));
        }
    }
}

/// The log, once a server was connected for the first time.
struct Worker<D> {
    options: Options,
    subjects: Subjects,
    reports: Reports<D>,
    client: Client,
    statistics: Arc<Statistics>,
    tail: Subscriber,
    inbox: Subscriber,
    /// The chunks of the state that are sent to this instance of the node.
    chunks: Option<Subscriber>,
    listens_for: Option<Instance>,
    transfers: JoinSet<()>,
    tick: Interval,
    room: Room,
    holes: Holes,
    admission: Admission,
    is_connected: bool,
    /// How often the client had connected when the worker last looked.
    connects: u64,
    /// The worker has told the program to end.
    is_refused: bool,
}

impl<D: FnMut(Report)> Worker<D> {
    /// Subscribes. Returns `None` if the client has ended.
    async fn new(options: Options, connected: connecting::Connected, reports: Reports<D>) -> Option<Self> {
        let connecting::Connected { client, asks_for_end, listens_for } = connected;
        let subjects = Subjects::new(&options.cluster, &options.node, client.new_inbox());
        let tail = client.subscribe(subjects.tail()).await.ok()?;
        let inbox = client.subscribe(subjects.inbox()).await.ok()?;
        let mut tick = interval(TICK_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut worker = Self {
            admission: Admission::new(asks_for_end, options.trust_nats),
            options,
            subjects,
            reports,
            statistics: client.statistics(),
            client,
            tail,
            inbox,
            chunks: None,
            listens_for: None,
            transfers: JoinSet::new(),
            tick,
            room: Room::new(MAX_WAITING_BYTES),
            holes: Holes::default(),
            is_connected: false,
            connects: 0,
            is_refused: false,
        };
        if let Some(instance) = listens_for {
            worker.listen_for(instance);
        }
        Some(worker)
    }

    /// Handles what comes, until the program drops the log or has to end.
    async fn run(&mut self, mut events: mpsc::Receiver<Event>, mut commands: mpsc::Receiver<Waiting>) {
        loop {
            self.watch_connection();
            self.subscribe_to_chunks();
            self.fetch_next();
            if self.is_refused {
                return;
            }
            // The tail before the inbox: what comes back of a probe has to be seen before the answer after it.
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.heed(&event),
                command = commands.recv() => match command {
                    Some(waiting) => self.carry_out(waiting),
                    None => return,
                },
                message = self.tail.next() => match message {
                    Some(message) => self.read_tail(&message),
                    None => self.refuse(Refusal::ClientEnded),
                },
                Some(message) = self.inbox.next() => self.read_answer(&message),
                Some(message) = next(&mut self.chunks) => self.read_chunk(&message),
                _ = self.tick.tick() => self.confirm_absence(),
            }
        }
    }

    fn carry_out(&mut self, waiting: Waiting) {
        let Waiting { command, reserved } = waiting;
        match command {
            Command::AskForEnd => self.ask_for_end(),
            Command::Append(frame) => self.append(frame),
            Command::Fetch(positions) => self.holes.want(positions),
            Command::Verify(positions) => self.verify(positions),
            Command::ListenFor(instance) => self.listen_for(instance),
            Command::SendState { to, donor, position, bytes } => {
                while self.transfers.try_join_next().is_some() {}
                if self.is_connected && self.transfers.len() < MAX_TRANSFERS {
                    let subject = self.subjects.state_to(to);
                    let transfer = StateTransfer { subject, donor, position, bytes, reserved };
                    self.transfers.spawn(transfer.run(self.client.clone()));
                }
            }
        }
    }

    /// Wants the chunks that are sent to this instance, and those for no other any more.
    fn listen_for(&mut self, instance: Instance) {
        if self.listens_for != Some(instance) {
            // Dropping the subscription ends it.
            (self.chunks, self.listens_for) = (None, Some(instance));
            self.subscribe_to_chunks();
        }
    }

    /// Subscribes to the chunks that are wanted; later, if the client's queue is full.
    fn subscribe_to_chunks(&mut self) {
        if let (Some(instance), None) = (self.listens_for, &self.chunks) {
            let subscribing = self.client.subscribe(self.subjects.states_for(instance));
            self.chunks = unconstrained(subscribing).now_or_never().and_then(Result::ok);
        }
    }

    /// Fetches what the program wants, as far as not too much is under way.
    fn fetch_next(&mut self) {
        if !self.is_connected {
            return;
        }
        let now = Instant::now();
        while let Some(position) = self.holes.next(now) {
            // The client's queue is full: the rest later.
            if !self.get_from_replica(position) {
                break;
            }
        }
    }

    /// Hands a message to the client. Returns whether it took it: it does not while its queue is full.
    fn publish(&self, subject: String, reply: Option<Reply>, payload: impl Into<Bytes>) -> bool {
        if !self.is_connected {
            return false;
        }
        let payload = payload.into();
        // Not bound to the budget of this task, with which a queue that has room may look full.
        let published = match reply {
            Some(reply) => {
                let reply = self.subjects.reply_subject(reply);
                unconstrained(self.client.publish_with_reply(subject, reply, payload)).now_or_never()
            }
            None => unconstrained(self.client.publish(subject, payload)).now_or_never(),
        };
        matches!(published, Some(Ok(())))
    }

    /// Asks for the stream's settings and bounds.
    fn ask_for_info(&self, reply: Reply) -> bool {
        self.publish(self.subjects.api("STREAM.INFO"), Some(reply), Bytes::new())
    }

    fn refuse(&mut self, refusal: Refusal) {
        if !std::mem::replace(&mut self.is_refused, true) {
            self.reports.report(Report::Refused(refusal));
        }
    }
}

/// The next message of a subscription, if there is one.
async fn next(subscription: &mut Option<Subscriber>) -> Option<async_nats::Message> {
    match subscription {
        Some(subscription) => subscription.next().await,
        None => std::future::pending().await,
    }
}

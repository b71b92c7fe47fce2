//! Tests over a stream that, like TLS, accepts bytes before its socket does.

use super::*;

/// Accepts every byte and passes it on as [`Half`] takes it.
struct Holding {
    held: Vec<u8>,
    half: Half,
}

impl Holding {
    fn pass_on(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let taken = ready!(Pin::new(&mut self.half).poll_write(cx, &self.held))?;
            self.held.drain(..taken);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Holding {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.held.extend_from_slice(bytes);
        if let Poll::Ready(Err(error)) = self.pass_on(cx) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pass_on(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.half.0.borrow().shut {
            self.held.extend_from_slice(b"(end)");
            self.half.0.borrow_mut().shut = true;
        }
        self.pass_on(cx)
    }
}

impl SendHalf for Holding {
    fn holds_back(&self) -> bool {
        true
    }

    fn begin_probe(&self) -> io::Result<()> {
        Ok(())
    }

    fn end_probe(&self) -> Unanswered {
        Box::new(|| false)
    }
}

fn holding(kind: Kind, takes: &[usize]) -> (Rc<RefCell<Outbox>>, Rc<RefCell<Wire>>) {
    let wire = Rc::new(RefCell::new(Wire { takes: takes.iter().copied().collect(), ..Wire::default() }));
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    let writer = Box::new(Holding { held: Vec::new(), half: Half(Rc::clone(&wire)) });
    let bounds = Bounds { limit: 1 << 20, grace: GRACE, gap: GAP };
    let mut outbox = Outbox::new(writer, Rc::new(bounds), Rc::new(SessionPermit::with_place(place, None)));
    outbox.set_kind(kind);
    (Rc::new(RefCell::new(outbox)), wire)
}

#[test]
fn what_the_socket_takes_at_once_needs_nobody_to_carry_it() {
    in_paused_time(async {
        let (outbox, wire) = holding(Kind::Line, &[]);
        at_once(|cx| outbox.borrow_mut().send_line(&line("1"), cx)).unwrap();
        assert!(!outbox.borrow_mut().wants_flush_task());
        assert_eq!(wire.borrow().text(), "a | b | echo | 1\n");
    });
}

#[test]
fn what_is_held_back_is_carried_to_the_last_byte() {
    in_paused_time(async {
        let (outbox, wire) = holding(Kind::Line, &[3, 0, 0, 2, 0, 0]);
        at_once(|cx| outbox.borrow_mut().send_line(&line("1"), cx)).unwrap();
        assert!(outbox.borrow().is_empty());
        assert_eq!(wire.borrow().text(), "a |");
        write_all(&outbox, &wire).await;
        assert_eq!(wire.borrow().text(), "a | b | echo | 1\n");
        // Later lines follow in order.
        at_once(|cx| outbox.borrow_mut().send_line(&line("2"), cx)).unwrap();
        assert_eq!(wire.borrow().text(), "a | b | echo | 1\na | b | echo | 2\n");
    });
}

#[test]
fn an_unframed_client_need_not_wait_out_its_pause_for_what_is_held_back() {
    in_paused_time(async {
        let (outbox, wire) = holding(Kind::Unframed, &[3, 0, usize::MAX]);
        let start = Instant::now();
        at_once(|cx| outbox.borrow_mut().send_line(&line("1"), cx)).unwrap();
        at_once(|cx| outbox.borrow_mut().send_line(&line("2"), cx)).unwrap();
        write_all(&outbox, &wire).await;
        let writes: Vec<_> = wire
            .borrow()
            .writes
            .iter()
            .map(|(at, bytes)| (*at - start, String::from_utf8_lossy(bytes).into_owned()))
            .collect();
        let expected =
            [(Duration::ZERO, "a |"), (Duration::ZERO, " b | echo | 1"), (GAP, "a | b | echo | 2")];
        assert_eq!(writes, expected.map(|(at, text)| (at, text.to_owned())));
    });
}

#[test]
fn the_end_waits_until_its_own_last_word_is_out() {
    in_paused_time(async {
        let (outbox, wire) = holding(Kind::Line, &[usize::MAX, 0, 0, 1, 0]);
        at_once(|cx| outbox.borrow_mut().send_line(&line("1"), cx)).unwrap();
        outbox.borrow_mut().close(1000, Instant::now() + GAP);
        write_all(&outbox, &wire).await;
        assert_eq!(wire.borrow().text(), "a | b | echo | 1\n(end)");
        assert_eq!(outbox.borrow().lost(), 0);
    });
}

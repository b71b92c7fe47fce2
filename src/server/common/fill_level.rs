//! [`FillLevel`]: how full an outbox is, as couriers report it to the registry.

/// The fill level of an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FillLevel {
    /// Below the other levels: the outbox delays no request.
    #[default]
    Low,
    /// Above half of the limit, until a quarter is left. Requests whose answers go into this outbox wait, so that no
    /// client can fill its outbox alone and then delay the broadcasts of all others.
    High,
    /// Above the limit, until a sixteenth of it is free. All senders to this outbox wait. The margin is small so that
    /// senders are slowed and not stopped.
    Full,
}

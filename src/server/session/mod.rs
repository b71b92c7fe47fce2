//! One connection's session: reads frames ([`frame_reader`]), gives up silent clients ([`read_timeouts`]), and sends requests
//! to the registry ([`actor`]). Does not know the registry or the courier: it is given what it may send them.

pub mod actor;
pub mod frame_reader;
pub mod messages;
pub mod read_timeouts;

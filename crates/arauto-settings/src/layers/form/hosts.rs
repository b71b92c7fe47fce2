//! The forms of names and addresses of machines.

use std::net::{IpAddr, Ipv6Addr};

use super::{Form, Raw, Refused, several, show_several};

/// Host names of this machine (RFC 1123, section 2.1). `_` is allowed as well, because container networks use it.
pub struct HostNames {
    /// Most names allowed.
    pub most: usize,
}

impl Form for HostNames {
    type Value = Vec<String>;

    fn allowed(&self) -> String {
        format!(r#"0 to {} host names such as "lab.example""#, self.most)
    }

    fn read(&self, raw: Raw<'_>) -> Result<Vec<String>, Refused> {
        let names = several(raw, |text| is_host_name(text).then(|| text.to_ascii_lowercase()))?;
        Some(names).filter(|names| names.len() <= self.most).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &Vec<String>) -> String {
        show_several(value)
    }
}

fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len())
            && label.bytes().all(is_sound)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// The addresses of servers, each `SCHEME://HOST:PORT` of one of these schemes. Without user and password, which do not
/// belong where everybody may read them.
pub struct ServerUrls {
    /// The schemes.
    pub schemes: &'static [&'static str],
    /// Most addresses allowed.
    pub most: usize,
}

impl Form for ServerUrls {
    type Value = Vec<String>;

    fn allowed(&self) -> String {
        let schemes = self.schemes.join(" or ");
        format!(
            r#"0 to {} addresses such as "{}://lab.example:4222"; the scheme is {schemes}"#,
            self.most, self.schemes[0]
        )
    }

    fn read(&self, raw: Raw<'_>) -> Result<Vec<String>, Refused> {
        let is_one = |text: &str| {
            let Some((scheme, rest)) = text.split_once("://") else { return false };
            let Some((host, port)) = rest.rsplit_once(':') else { return false };
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let is_host = address.map_or_else(|| is_host_name(host), |ip| ip.parse::<Ipv6Addr>().is_ok());
            self.schemes.contains(&scheme) && is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        let urls = several(raw, |text| is_one(text).then(|| text.to_owned()))?;
        Some(urls).filter(|urls| urls.len() <= self.most).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &Vec<String>) -> String {
        show_several(value)
    }
}

/// A name of small letters, digits and hyphens, at most 32.
pub struct Label {
    /// Whether the name may be empty.
    pub may_be_empty: bool,
}

impl Form for Label {
    type Value = String;

    fn allowed(&self) -> String {
        format!("{} to 32 of the characters a to z, 0 to 9 and -", usize::from(!self.may_be_empty))
    }

    fn read(&self, raw: Raw<'_>) -> Result<String, Refused> {
        let text = raw.text().ok_or(Refused::WHOLE)?;
        let is_sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_one =
            text.len() <= 32 && text.bytes().all(is_sound) && (self.may_be_empty || !text.is_empty());
        if is_one { Ok(text.to_owned()) } else { Err(Refused::WHOLE) }
    }

    fn show(&self, value: &String) -> String {
        format!(r#""{value}""#)
    }
}

/// The host of one machine: a name as in [`HostNames`], an IP address, or the empty text.
pub struct Host;

impl Form for Host {
    type Value = String;

    fn allowed(&self) -> String {
        r#"a host name such as "lab.example", an IP address, or """#.to_owned()
    }

    fn read(&self, raw: Raw<'_>) -> Result<String, Refused> {
        let text = raw.text().ok_or(Refused::WHOLE)?;
        let is_one = text.is_empty() || is_host_name(text) || text.parse::<IpAddr>().is_ok();
        is_one.then(|| text.to_ascii_lowercase()).ok_or(Refused::WHOLE)
    }

    fn show(&self, value: &String) -> String {
        format!(r#""{value}""#)
    }
}

#[cfg(test)]
mod tests {
    use super::is_host_name;

    #[test]
    fn names_of_container_networks_are_host_names() {
        for name in ["lab.example", "chat_server", "_chat", "a-b", "chat_server_1.project_default", "1"] {
            assert!(is_host_name(name), "{name}");
        }
        for name in ["", "-a", "a-", "a..b", "a b", "chat:80", "é", "a/b", &"x".repeat(64)] {
            assert!(!is_host_name(name), "{name}");
        }
    }
}

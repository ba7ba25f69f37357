//! A bounded cache of resolutions, by their time to live.

use std::collections::HashMap;
use std::time::Duration;

use coalesce_pool::Endpoint;

use super::contract::Question;
use super::limits::{CACHE_MAX, NEGATIVE_TTL_MAX, TTL_MAX};

/// The resolutions that may be used again. No endpoints are a negative answer.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Question, Entry>,
}

#[derive(Debug)]
struct Entry {
    endpoints: Vec<Endpoint>,
    expires_at: Duration,
}

impl Cache {
    /// Returns a resolution that has not expired.
    pub(super) fn get(&self, question: &Question, now: Duration) -> Option<&[Endpoint]> {
        let entry = self.entries.get(question)?;
        (now < entry.expires_at).then_some(entry.endpoints.as_slice())
    }

    /// Remembers a resolution. If the cache is full, the one that expires first is dropped.
    pub(super) fn insert(
        &mut self,
        question: Question,
        endpoints: Vec<Endpoint>,
        ttl: Duration,
        now: Duration,
    ) {
        let ttl_max = if endpoints.is_empty() { NEGATIVE_TTL_MAX } else { TTL_MAX };
        let expires_at = now.saturating_add(ttl.min(ttl_max));
        if self.entries.len() >= CACHE_MAX && !self.entries.contains_key(&question) {
            self.entries.retain(|_, entry| now < entry.expires_at);
        }
        if self.entries.len() >= CACHE_MAX && !self.entries.contains_key(&question) {
            let first = self.entries.iter().min_by_key(|(_, entry)| entry.expires_at);
            if let Some(first) = first.map(|(question, _)| question.clone()) {
                self.entries.remove(&first);
            }
        }
        self.entries.insert(question, Entry { endpoints, expires_at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::testing::question;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn here() -> Vec<Endpoint> {
        vec![Endpoint::new("192.0.2.1:443".parse().unwrap())]
    }

    #[test]
    fn answer_is_used_until_its_time_to_live_ends() {
        let mut cache = Cache::default();
        let asked = question("a.test", 443);
        cache.insert(asked.clone(), here(), seconds(10), seconds(100));
        assert_eq!(cache.get(&asked, seconds(109)), Some(&here()[..]));
        assert_eq!(cache.get(&asked, seconds(110)), None);
        assert_eq!(cache.get(&question("a.test", 444), seconds(109)), None);
    }

    #[test]
    fn long_times_to_live_are_cut() {
        let mut cache = Cache::default();
        let week = seconds(7 * 24 * 60 * 60);
        cache.insert(question("a.test", 443), here(), week, seconds(0));
        cache.insert(question("b.test", 443), vec![], week, seconds(0));
        let last = |limit: Duration| limit.saturating_sub(seconds(1));
        assert!(cache.get(&question("a.test", 443), last(TTL_MAX)).is_some());
        assert!(cache.get(&question("a.test", 443), TTL_MAX).is_none());
        assert!(cache.get(&question("b.test", 443), last(NEGATIVE_TTL_MAX)).is_some());
        assert!(cache.get(&question("b.test", 443), NEGATIVE_TTL_MAX).is_none());
    }

    #[test]
    fn number_of_answers_is_bounded_and_the_first_to_expire_goes() {
        let mut cache = Cache::default();
        let name = |number: usize| question(&format!("h{number}.test"), 443);
        for number in 0..CACHE_MAX {
            let ttl = seconds(if number == 7 { 50 } else { 100 });
            cache.insert(name(number), here(), ttl, seconds(0));
        }
        cache.insert(name(CACHE_MAX), here(), seconds(100), seconds(1));
        assert_eq!(cache.entries.len(), CACHE_MAX);
        assert!(cache.get(&name(7), seconds(1)).is_none());
        assert!(cache.get(&name(8), seconds(1)).is_some());
        cache.insert(name(8), vec![], seconds(100), seconds(1));
        assert_eq!(cache.entries.len(), CACHE_MAX);
        cache.insert(name(7), here(), seconds(100), seconds(200));
        assert_eq!(cache.entries.len(), 1);
    }
}

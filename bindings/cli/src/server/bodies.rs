//! Bodies as they arrive: bounded in size, in time and in what all of them hold together.

use std::collections::TryReserveError;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout_at, Instant};

use super::errors::Refusal;

/// What one permit of the memory that bodies share stands for.
const UNIT: usize = 4096;

/// Bytes of a word.
const WORD: usize = size_of::<f32>();

/// Most bytes for which a body gets memory before any has come.
const FIRST: usize = 1 << 20;

/// Most pieces of an unwanted body that are thrown away to keep its connection.
const MOST_DISCARDED: usize = 16;

/// Memory for the bodies of all requests that wait.
#[derive(Clone, Debug)]
pub struct Room {
    units: Arc<Semaphore>,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> Self {
        Room { units: Arc::new(Semaphore::new(bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS))) }
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        Arc::clone(&self.units).try_acquire_many_owned(units).ok()
    }
}

/// A body, and its share of the room.
///
/// It is put together while it comes, each piece as soon as it has been received: so it is in memory once, and its
/// numbers lie where the core can take them.
#[derive(Debug, Default)]
pub struct Buffer {
    /// All bytes, in the order of memory; the last word may be filled up with zeros.
    words: Vec<f32>,
    length: usize,
    share: Option<OwnedSemaphorePermit>,
}

impl Buffer {
    /// Makes place for a piece, and for more where more was announced, though not for all of it at once: a large number
    /// in a header costs nothing to send.
    fn reserve(&mut self, piece: usize, announced: usize) -> Result<(), TryReserveError> {
        let needed = self.length.saturating_add(piece);
        let useful = announced.min(FIRST.max(self.length.saturating_mul(2)));
        let words = needed.max(useful).div_ceil(WORD);
        match needed.div_ceil(WORD) > self.words.capacity() {
            true => self.words.try_reserve_exact(words - self.words.len()),
            false => Ok(()),
        }
    }

    fn push(&mut self, piece: &[u8]) {
        self.length += piece.len();
        // Pieces end anywhere, also within a word.
        let used = (self.length - piece.len()) % WORD;
        let missing = if used == 0 { 0 } else { WORD - used };
        let (head, piece) = piece.split_at(missing.min(piece.len()));
        if let Some(last) = self.words.last_mut() {
            bytemuck::bytes_of_mut(last)[used..used + head.len()].copy_from_slice(head);
        }
        let (words, rest) = piece.as_chunks();
        self.words.extend(words.iter().map(|word| f32::from_ne_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; WORD];
            word[..rest.len()].copy_from_slice(rest);
            self.words.push(f32::from_ne_bytes(word));
        }
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }

    /// Little-endian float32; the length has to be a multiple of 4.
    pub fn floats(self) -> Vec<f32> {
        match cfg!(target_endian = "little") {
            true => self.words,
            false => self.words.into_iter().map(|word| f32::from_le_bytes(word.to_ne_bytes())).collect(),
        }
    }
}

impl From<&[u8]> for Buffer {
    fn from(bytes: &[u8]) -> Self {
        let mut all = Buffer::default();
        all.push(bytes);
        all
    }
}

/// What bounds a body.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Most bytes.
    pub bytes: usize,
    /// Longest time.
    pub time: Duration,
    /// What all bodies share.
    pub room: Room,
}

/// The refusal of a body that is too large.
pub fn too_large(most: usize) -> Refusal {
    let message = format!("the body has more than {most} bytes, the most that are taken");
    Refusal::too_large("body_too_large", "body", message)
}

/// A refusal before the body was received. What has come already is thrown away; a connection on which more is to come
/// ends with the answer, for nobody will read it.
pub fn discard(mut body: Body, refusal: Refusal) -> Refusal {
    for _ in 0..MOST_DISCARDED {
        match body.frame().now_or_never() {
            Some(None) => return refusal,
            Some(Some(Ok(_))) => {}
            Some(Some(Err(_))) | None => break,
        }
    }
    refusal.closing()
}

/// Receives a body; after a refusal the connection has to end.
pub async fn receive(body: Body, bounds: &Bounds) -> Result<Buffer, Refusal> {
    receive_all(body, bounds).await.map_err(Refusal::closing)
}

async fn receive_all(mut body: Body, bounds: &Bounds) -> Result<Buffer, Refusal> {
    let end = Instant::now() + bounds.time;
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX).min(bounds.bytes);
    let mut all = Buffer::default();
    loop {
        let frame = timeout_at(end, body.frame()).await.map_err(|_| {
            let message = format!("the body took longer than {} ms", bounds.time.as_millis());
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "body", message)
        })?;
        let piece = match frame {
            None => return Ok(all),
            Some(Ok(frame)) => frame.into_data(),
            Some(Err(_)) => {
                return Err(Refusal::malformed("body", "body", "the body ended early or is no valid HTTP"));
            }
        };
        // Trailers are of no use here.
        let Ok(piece) = piece else { continue };
        if all.length.saturating_add(piece.len()) > bounds.bytes {
            return Err(too_large(bounds.bytes));
        }
        let full = || {
            Refusal::busy("memory_full", "the bodies of waiting requests fill the memory set aside for them")
        };
        let share = bounds.room.take(piece.len()).ok_or_else(full)?;
        all.reserve(piece.len(), announced).map_err(|_| full())?;
        all.push(&piece);
        match &mut all.share {
            Some(shares) => shares.merge(share),
            none => *none = Some(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;

    fn bounds(bytes: usize) -> Bounds {
        Bounds { bytes, time: Duration::from_millis(50), room: Room::new(1 << 20) }
    }

    fn cut(bytes: &[u8], sizes: &[usize]) -> Buffer {
        let mut all = Buffer::default();
        let mut rest = bytes;
        for &size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            all.push(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        all
    }

    #[test]
    fn a_body_survives_any_cut() {
        let numbers: Vec<f32> = (0..37).map(|i| i as f32 * 0.37 - 5.0).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        for sizes in [
            &[1][..],
            &[2],
            &[3],
            &[4],
            &[5],
            &[7, 1, 1],
            &[1, 2, 9, 16],
            &[1000],
            &[3, 3, 3, 1, 1, 1],
            &[0, 6],
        ] {
            assert_eq!(cut(&bytes, sizes).floats(), numbers, "pieces of {sizes:?}");
            for end in 0..9 {
                assert_eq!(cut(&bytes[..end], sizes).bytes(), &bytes[..end], "pieces of {sizes:?}");
            }
        }
        assert!(Buffer::default().floats().is_empty());
    }

    #[test]
    fn memory_is_set_aside_for_what_comes_not_for_what_is_announced() {
        let mut all = Buffer::default();
        all.reserve(10, 1 << 40).unwrap();
        assert!(all.words.capacity() * WORD < 2 * FIRST);
        let mut exact = Buffer::default();
        exact.reserve(10, 4000).unwrap();
        let (before, piece) = (exact.words.capacity(), [1; 1000]);
        for _ in 0..4 {
            exact.reserve(piece.len(), 4000).unwrap();
            exact.push(&piece);
        }
        assert_eq!(exact.words.capacity(), before, "one allocation for a body whose length is known");
        assert!(exact.reserve(usize::MAX, 0).is_err());
    }

    #[tokio::test]
    async fn a_body_is_bounded_in_size_and_time() {
        let body = || Body::from("0123456789");
        assert_eq!(receive(body(), &bounds(10)).await.unwrap().bytes(), b"0123456789");
        assert_eq!(receive(body(), &bounds(9)).await.unwrap_err().status.as_u16(), 413);
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let refused = receive(Body::from_stream(never), &bounds(9)).await.unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (408, "body_timeout"));
    }

    #[test]
    fn a_connection_outlives_a_refusal_only_where_the_body_has_come() {
        let refusal = || Refusal::busy("queue_full", "");
        assert!(!discard(Body::from("small"), refusal()).closes);
        let never = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        assert!(discard(Body::from_stream(never), refusal()).closes);
    }

    #[tokio::test]
    async fn bodies_share_the_room_and_give_it_back() {
        let bounds = Bounds { room: Room::new(2 * UNIT), ..bounds(1 << 20) };
        let body = || Body::from(vec![0; UNIT]);
        let first = receive(body(), &bounds).await.unwrap();
        let _second = receive(body(), &bounds).await.unwrap();
        assert_eq!(receive(body(), &bounds).await.unwrap_err().code, "memory_full");
        drop(first);
        assert!(receive(body(), &bounds).await.is_ok());
    }
}

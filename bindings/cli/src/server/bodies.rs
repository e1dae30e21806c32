//! Bodies as they arrive: bounded in size, in time and in what all of them hold together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{timeout_at, Instant};

use super::errors::Refusal;

/// What one permit of the memory that bodies share stands for.
const UNIT: usize = 4096;

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

/// A body in the pieces it came in, and its share of the room.
#[derive(Debug, Default)]
pub struct Pieces {
    pieces: Vec<Bytes>,
    length: usize,
    share: Option<OwnedSemaphorePermit>,
}

impl Pieces {
    /// Number of bytes.
    #[allow(clippy::len_without_is_empty)] // nobody asks
    pub fn len(&self) -> usize {
        self.length
    }

    fn push(&mut self, piece: Bytes, share: OwnedSemaphorePermit) {
        self.length += piece.len();
        self.pieces.push(piece);
        match &mut self.share {
            Some(all) => all.merge(share),
            none => *none = Some(share),
        }
    }

    /// All bytes in a row.
    pub fn bytes(mut self) -> Bytes {
        match self.pieces.len() {
            0 | 1 => self.pieces.pop().unwrap_or_default(),
            _ => {
                let mut all = Vec::with_capacity(self.length);
                self.pieces.drain(..).for_each(|piece| all.extend_from_slice(&piece));
                all.into()
            }
        }
    }

    /// Little-endian float32; the length has to be a multiple of 4.
    pub fn floats(mut self) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.length / 4);
        // Pieces end anywhere, also within a number.
        let mut begun = [0_u8; 4];
        let mut have = 0;
        for piece in self.pieces.drain(..) {
            let missing = (4 - have) % 4;
            let (head, rest) = piece.split_at(missing.min(piece.len()));
            begun[have..have + head.len()].copy_from_slice(head);
            have += head.len();
            if have == 4 {
                all.push(f32::from_le_bytes(begun));
                have = 0;
            }
            if have > 0 {
                continue;
            }
            let (numbers, tail) = rest.split_at(rest.len() - rest.len() % 4);
            all.extend(numbers.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            begun[..tail.len()].copy_from_slice(tail);
            have = tail.len();
        }
        all
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(bytes: Vec<u8>) -> Self {
        Pieces { length: bytes.len(), pieces: vec![bytes.into()], share: None }
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
pub async fn receive(body: Body, bounds: &Bounds) -> Result<Pieces, Refusal> {
    receive_all(body, bounds).await.map_err(Refusal::closing)
}

async fn receive_all(mut body: Body, bounds: &Bounds) -> Result<Pieces, Refusal> {
    let end = Instant::now() + bounds.time;
    let mut pieces = Pieces::default();
    loop {
        let frame = timeout_at(end, body.frame()).await.map_err(|_| {
            let message = format!("the body took longer than {} ms", bounds.time.as_millis());
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "body", message)
        })?;
        let piece = match frame {
            None => return Ok(pieces),
            Some(Ok(frame)) => frame.into_data(),
            Some(Err(_)) => {
                return Err(Refusal::malformed("body", "body", "the body ended early or is no valid HTTP"));
            }
        };
        // Trailers are of no use here.
        let Ok(piece) = piece else { continue };
        if pieces.length.saturating_add(piece.len()) > bounds.bytes {
            return Err(too_large(bounds.bytes));
        }
        let share = bounds.room.take(piece.len()).ok_or_else(|| {
            Refusal::busy("memory_full", "the bodies of waiting requests fill the memory set aside for them")
        })?;
        pieces.push(piece, share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(bytes: usize) -> Bounds {
        Bounds { bytes, time: Duration::from_millis(50), room: Room::new(1 << 20) }
    }

    fn cut(bytes: &[u8], sizes: &[usize]) -> Pieces {
        let mut pieces = Pieces::default();
        let room = Room::new(1 << 20);
        let mut rest = bytes;
        for &size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            pieces.push(Bytes::copy_from_slice(piece), room.take(piece.len()).unwrap());
            rest = after;
            if rest.is_empty() {
                return pieces;
            }
        }
        pieces
    }

    #[test]
    fn numbers_survive_any_cut() {
        let numbers: Vec<f32> = (0..37).map(|i| i as f32 * 0.37 - 5.0).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        for sizes in
            [&[1][..], &[2], &[3], &[4], &[5], &[7, 1, 1], &[1, 2, 9, 16], &[1000], &[3, 3, 3, 1, 1, 1]]
        {
            assert_eq!(cut(&bytes, sizes).floats(), numbers, "pieces of {sizes:?}");
            assert_eq!(cut(&bytes, sizes).bytes(), bytes, "pieces of {sizes:?}");
        }
        assert!(Pieces::default().floats().is_empty());
    }

    #[tokio::test]
    async fn a_body_is_bounded_in_size_and_time() {
        let body = || Body::from("0123456789");
        assert_eq!(receive(body(), &bounds(10)).await.unwrap().bytes(), "0123456789");
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

//! What a call may ask for beyond its tensors.

/// Options of one attention call.
///
/// ```
/// use ruvector_attention::Options;
/// let options = Options { neighbors: Some(8), causal: true, ..Options::default() };
/// assert_eq!(options.mask, None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// Attend to the k keys with the best scores only; ties go to the lower index, k ≥ n means all, 0 is an error.
    pub neighbors: Option<usize>,
    /// One flag a key, true = the key takes part; applied before `neighbors`.
    pub mask: Option<&'a [bool]>,
    /// Query i of m sees keys j ≤ i + n − m.
    pub causal: bool,
    /// Seed of a training pass: dropout is applied with it. `None` is inference, where dropout does nothing.
    pub training: Option<u64>,
}

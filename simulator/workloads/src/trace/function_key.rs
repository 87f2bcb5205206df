/// The hashes that name a function.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionKey {
    /// Hash of the application.
    pub application: String,
    /// Hash of the function; empty for the application as a whole.
    pub function: String,
}

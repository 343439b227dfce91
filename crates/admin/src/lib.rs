//! Questions and orders of an operator, answered from the store

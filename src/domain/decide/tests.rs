//! Tables: a world in one line, the decision in another.

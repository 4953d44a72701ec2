// Holds the precompiled header and nothing else.
static_assert(__cplusplus >= 202002L);

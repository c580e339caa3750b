// bad
void f() { asm("nop"); /*!*/ }

// good
// asm("nop") is what a comment may say
void f() {}

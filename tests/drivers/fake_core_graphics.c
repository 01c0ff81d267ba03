/* A CoreGraphics that is only there: loading it is what makes MTLCreateSystemDefaultDevice answer. */
unsigned CGMainDisplayID(void);
unsigned CGMainDisplayID(void) { return 1; }

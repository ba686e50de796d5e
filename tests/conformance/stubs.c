#include "conformance.h"
void test_calls(void) {}

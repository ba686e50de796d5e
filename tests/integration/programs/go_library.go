// go_library.go - a library in Go for programs that are not: fetches an address COUNT times at once, from routines that
// have small stacks, and says how many bytes came.
package main

import "C"
import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync"
)

//export Fetch
func Fetch(url *C.char, count C.int) C.int {
	var wait sync.WaitGroup
	var lock sync.Mutex
	total := 0
	address := C.GoString(url)
	for i := 0; i < int(count); i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			response, err := http.Get(address)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			data, _ := io.ReadAll(response.Body)
			response.Body.Close()
			runtime.GC()
			lock.Lock()
			total += len(data)
			lock.Unlock()
		}()
	}
	wait.Wait()
	return C.int(total)
}

func main() {}

// Real registries in memory, on loopback: `registries distribution CONFIG` is the CNCF distribution registry without the
// storage of clouds, `registries referrers` the registry of go-containerregistry with the referrers API, which
// `crane registry serve` starts without it. Prints the port on stdout, and serves until standard input ends.
// `registries htpasswd USER PASSWORD` prints a line for the distribution registry's login.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/google/go-containerregistry/pkg/registry"
	"golang.org/x/crypto/bcrypt"
)

func handler() (http.Handler, error) {
	switch os.Args[1] {
	case "referrers":
		return registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))), nil
	case "distribution":
		file, err := os.Open(os.Args[2])
		if err != nil {
			return nil, err
		}
		config, err := configuration.Parse(file)
		if err != nil {
			return nil, err
		}
		return handlers.NewApp(context.Background(), config), nil
	}
	return nil, fmt.Errorf("no registry %q", os.Args[1])
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "htpasswd" {
		hash, err := bcrypt.GenerateFromPassword([]byte(os.Args[3]), bcrypt.MinCost)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s:%s\n", os.Args[2], hash)
		return
	}
	registry, err := handler()
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() { log.Fatal(http.Serve(listener, registry)) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

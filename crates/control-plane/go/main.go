// The control plane of a Kubernetes cluster as one process: etcd, kube-apiserver and kube-controller-manager.
//
//	control-plane [--data DIR] [--listen ADDRESS] [--end-with-stdin] -- APISERVER-FLAGS… -- CONTROLLER-MANAGER-FLAGS…
//
// The API server's address is the only line on standard output.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	own, others := cutAtDashes(os.Args[1:])
	forServer, forManager := cutAtDashes(others)
	flags := pflag.NewFlagSet("control-plane", pflag.ExitOnError)
	data := flags.String("data", ".", "directory of etcd's data")
	address := flags.String("listen", "127.0.0.1:0", "address of the API server")
	withStdin := flags.Bool("end-with-stdin", false, "end, and remove the data, when standard input ends")
	_ = flags.Parse(own)
	if *withStdin {
		go endWithStdin(*data)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	go func() { <-ended; os.Exit(0) }()

	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	etcd := startEtcd(filepath.Join(*data, "etcd"))
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal("kube-apiserver: ", err)
	}
	server := "https://" + listener.Addr().String()
	go manageControllers(append(forManager, "--master="+server))
	fmt.Println(server)
	log.Fatal("kube-apiserver: ", serve(listener, append(forServer, "--etcd-servers="+etcd)))
}

// cutAtDashes parts the arguments at the first "--".
func cutAtDashes(args []string) ([]string, []string) {
	if at := slices.Index(args, "--"); at >= 0 {
		return args[:at], args[at+1:]
	}
	return args, nil
}

// endWithStdin leaves nothing behind when the parent is gone, however that came about.
func endWithStdin(data string) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = os.RemoveAll(data)
	os.Exit(0)
}

// startEtcd returns the address of a store of one member that never waits for the disk.
func startEtcd(dir string) string {
	free := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config := embed.NewConfig()
	config.Dir, config.LogLevel, config.UnsafeNoFsync = dir, "error", true
	config.EnableGRPCGateway = false
	config.ListenClientUrls, config.AdvertiseClientUrls = free, free
	config.ListenPeerUrls, config.AdvertisePeerUrls = free, free
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		log.Fatal("etcd: ", err)
	}
	<-etcd.Server.ReadyNotify()
	return "http://" + etcd.Clients[0].Addr().String()
}

// serve runs kube-apiserver as its own command would, but on a port that is already ours.
func serve(listener net.Listener, args []string) error {
	server := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ExitOnError)
	for _, set := range server.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	server.SecureServing.Listener, server.SecureServing.BindPort = listener, listener.Addr().(*net.TCPAddr).Port
	if err := server.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := server.Complete(context.Background())
	if err != nil {
		return err
	}
	if problems := completed.Validate(); len(problems) > 0 {
		return utilerrors.NewAggregate(problems)
	}
	return apiserver.Run(context.Background(), completed)
}

// manageControllers runs kube-controller-manager, which itself waits for the API server.
func manageControllers(args []string) {
	command := controllermanager.NewControllerManagerCommand()
	command.SilenceUsage = true
	command.SetArgs(args)
	log.Fatal("kube-controller-manager: ", command.Execute())
}

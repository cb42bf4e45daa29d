namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// What runs in the program's network namespace to reach the proxy of the service: a small Python program that accepts connections of the
/// loopback interface and copies them to the socket file. It then becomes two processes, one of which becomes the program of the tool.
/// </summary>
internal static class EgressForwarder
{
    /// <summary>The socket file as the program sees it.</summary>
    public const string SocketPath = "/run/egress";

    private const string Address = "http://127.0.0.1:3128";

    private const string Source = """
        import os, socket, sys, threading
        listener = socket.socket()
        listener.bind(('127.0.0.1', 3128))
        listener.listen(64)
        if os.fork():
            listener.close()
            os.execv(sys.argv[1], sys.argv[1:])
        for file in (0, 1, 2):
            os.close(file)
        def copy(source, target):
            try:
                while data := source.recv(65536):
                    target.sendall(data)
            except OSError:
                pass
            try:
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        def serve(client):
            with client, socket.socket(socket.AF_UNIX) as proxy:
                try:
                    proxy.connect('/run/egress')
                    back = threading.Thread(target=copy, args=(proxy, client), daemon=True)
                    back.start()
                    copy(client, proxy)
                    back.join()
                except OSError:
                    pass
        threading.stack_size(262144)
        while True:
            client = listener.accept()[0]
            try:
                threading.Thread(target=serve, args=(client,), daemon=True).start()
            except RuntimeError:
                client.close()
        """;

    /// <summary>The path of Python, or null if it is not installed.</summary>
    public static string? FindPython() => Array.Find([.. SystemPaths.Programs.Select(folder => $"{folder}/python3")], File.Exists);

    /// <summary>The command that starts the forwarder and becomes the program that follows.</summary>
    public static string[] Command() => [FindPython()!, "-I", "-c", Source];

    /// <summary>The variables by which HTTP clients find the proxy.</summary>
    public static readonly KeyValuePair<string, string>[] Variables =
    [
        .. ((string[])["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"]).Select(name => KeyValuePair.Create(name, Address)),
        KeyValuePair.Create("NODE_USE_ENV_PROXY", "1"),
    ];
}

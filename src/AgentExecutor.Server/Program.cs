using AgentExecutor.Adapters;
using AgentExecutor.Server.Commands;

// This command becomes another program, so it starts without anything that the others need.
return args is ["sandbox-exec"] ? AdapterCatalog.SandboxExec() : await CommandLine.RunAsync(args);

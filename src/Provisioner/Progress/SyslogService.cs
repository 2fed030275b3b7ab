using System.Net;
using System.Net.Sockets;
using Provisioner.Events;
using Provisioner.Networks;
using Provisioner.Networks.Sockets;
using Provisioner.Protocols;
using Provisioner.Protocols.Syslog;
using Provisioner.Storage;

namespace Provisioner.Progress;

/// <summary>Where syslog is received.</summary>
public sealed record SyslogOptions
{
    public Ipv4Address Address { get; init; }

    /// <summary>0 takes any free port.</summary>
    public int Port { get; init; } = Appliance.Privileges.MayUseLowPorts ? 514 : 5514;
}

/// <summary>
/// Receives what firmware, iPXE and installers say by syslog (RFC 5426) and keeps it with the host that was seen at that address. Whoever is
/// not a registered host is not listened to.
/// </summary>
internal sealed class SyslogService(
    SyslogOptions options, CurrentState state, AddressBook addresses, InstallerLog log, StageRecorder recorder, BootJournal journal, TimeProvider time) : BackgroundService
{
    /// <summary>Error and worse become events, but not a flood of them.</summary>
    private const int WorstSeverity = 3;

    private static readonly TimeSpan EventPause = TimeSpan.FromSeconds(5);

    private readonly Dictionary<string, DateTimeOffset> told = new(StringComparer.Ordinal);
    private Socket? socket;

    /// <summary>The port it listens on, also when any was asked for.</summary>
    public int Port { get; private set; } = options.Port;

    /// <inheritdoc/>
    /// <exception cref="ListenException">The port cannot be had; says what to do.</exception>
    public override Task StartAsync(CancellationToken cancellationToken)
    {
        socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            LateAddress.Allow(socket);
            socket.Bind(new IPEndPoint(options.Address.ToIPAddress(), options.Port));
        }
        catch (SocketException e)
        {
            throw ListenException.ForUdp("syslog", "syslog.port", options.Address, options.Port, e);
        }
        Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        socket?.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var buffer = new byte[SyslogMessage.MaximumLength];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var length = await socket!.ReceiveFromAsync(buffer, SocketFlags.None, from, stoppingToken);
                Take(buffer.AsSpan(0, length), AddressOf(from));
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.MessageSize or SocketError.ConnectionReset)
            {
                // That datagram is lost; the next is not.
            }
        }
    }

    /// <summary>One datagram.</summary>
    internal void Take(ReadOnlySpan<byte> datagram, Ipv4Address from)
    {
        if (addresses.Find(from) is not { } mac || state.Snapshot.FindHost(mac) is not { } host || !SyslogMessage.TryParse(datagram, out var message, out _))
            return;
        log.Add(host.Name, message.Program is null ? message.Text : $"{message.Program}: {message.Text}");
        recorder.Heard(host.Name);
        if (message.Severity > WorstSeverity || message.Text.Length == 0)
            return;
        var now = time.GetUtcNow();
        if (told.TryGetValue(host.Name, out var last) && now - last < EventPause)
            return;
        if (told.Count > 4096)
            told.Clear();
        told[host.Name] = now;
        journal.Record(new Event
        {
            At = now,
            Source = EventSource.Installer,
            Outcome = EventOutcome.Failed,
            Host = host.Name,
            MacAddress = mac,
            What = message.Text,
            Reason = $"by syslog{(message.Program is null ? "" : $" from {message.Program}")}, severity {message.Severity}",
        });
    }

    private static Ipv4Address AddressOf(SocketAddress from) => new(from.Buffer.Span.Slice(4, 4));
}

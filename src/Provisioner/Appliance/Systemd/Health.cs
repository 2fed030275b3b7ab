using System.Net;
using System.Net.NetworkInformation;
using System.Net.Security;
using System.Net.Sockets;
using Provisioner.Boot.Dhcp;
using Provisioner.Boot.Http;
using Provisioner.Boot.Tftp;
using Provisioner.Certificates;
using Provisioner.Certificates.Est;
using Provisioner.Storage;

namespace Provisioner.Appliance.Systemd;

/// <summary>
/// Whether the service does its work, found out by having it do some: a change goes through the writer's lane, the threads of DHCP and TFTP go round,
/// the boot plane and the secure plane answer a request. Only what a new start mends counts: a full disk or a wrong clock does not.
/// </summary>
internal sealed class Health(
    StateWriter writer, DhcpService dhcp, TftpServer tftp, BootHttpService http, BootHttpOptions httpOptions,
    SecureServer secure, SecureOptions secureOptions, ServerIdentity identity)
{
    /// <summary>What one part may take. A disk that synchronises slowly is slow, and not dead.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>What is wrong, a sentence each; empty when nothing is.</summary>
    public async Task<IReadOnlyList<string>> ProblemsAsync(CancellationToken cancellation)
    {
        var answers = await Task.WhenAll(
            AskAsync("the store's writer", ct => writer.NoteAsync(static _ => 0, ct), cancellation),
            AskAsync("DHCP", dhcp.GoRoundAsync, cancellation),
            AskAsync("TFTP", tftp.GoRoundAsync, cancellation),
            AskAsync("the boot plane (HTTP)", ct => GetAsync("http", httpOptions.Address, http.Port, ct), cancellation),
            AskAsync("the secure plane (HTTPS)", ct => identity.Context is null ? Task.CompletedTask : GetAsync("https", secureOptions.Address.ToIPAddress(), secure.Port, ct), cancellation));
        return [.. answers.OfType<string>()];
    }

    private async Task<string?> AskAsync(string part, Func<CancellationToken, Task> ask, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Patience);
        try
        {
            await ask(limit.Token);
            return null;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return $"{part} has not answered within {Patience.TotalSeconds:0.#} s";
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or IOException)
        {
            return $"{part} does not answer: {e.GetBaseException().Message}";
        }
    }

    private static async Task GetAsync(string scheme, IPAddress address, int port, CancellationToken cancellation)
    {
        // An address that its link has not brought yet is nobody's fault here.
        if (!address.Equals(IPAddress.Any) && !IPAddress.IsLoopback(address) && !Owns(address))
            return;
        using var client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            // It asks itself, and whether it answers.
#pragma warning disable CA5359
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        });
        using var answer = await client.GetAsync(new Uri($"{scheme}://{(address.Equals(IPAddress.Any) ? IPAddress.Loopback : address)}:{port}/healthz"), cancellation);
        answer.EnsureSuccessStatusCode();
    }

    private static bool Owns(IPAddress address) => NetworkInterface.GetAllNetworkInterfaces()
        .SelectMany(i => i.GetIPProperties().UnicastAddresses).Any(u => u.Address.Equals(address));
}

using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Provisioner.Lab.Harness;

namespace Provisioner.Lab.Cloud;

/// <summary>A server of this process that listens in a namespace.</summary>
internal static class CloudServer
{
    /// <param name="on">Where it listens.</param>
    /// <param name="at">By which address and port.</param>
    /// <param name="certificate">With one it speaks TLS.</param>
    /// <param name="answer">Each request.</param>
    public static async Task<WebApplication> StartAsync(NetworkNamespace on, IPEndPoint at, X509Certificate2? certificate, RequestDelegate answer)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseSockets(sockets => sockets.CreateBoundListenSocket = to => on.Bind((IPEndPoint)to)).ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(at, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                if (certificate is not null)
                    listen.UseHttps(certificate);
            });
        });
        if (certificate is not null)
            builder.WebHost.UseKestrelHttpsConfiguration();
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        return app;
    }
}

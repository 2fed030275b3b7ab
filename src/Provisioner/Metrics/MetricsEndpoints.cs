using OpenTelemetry.Metrics;
using Provisioner.Events;

namespace Provisioner.Metrics;

/// <summary>For whoever watches the appliance: Prometheus' text format at <c>/metrics</c>, and whether it does its work at <c>/readyz</c>.</summary>
internal static class MetricsEndpoints
{
    public static IServiceCollection AddApplianceMetrics(this IServiceCollection services) => services.AddSingleton<ApplianceMetrics>().AddSingleton<Readiness>().AddHostedService<Counting>();

    /// <summary>What the secure plane's own container needs for them.</summary>
    public static void AddPrometheus(this IServiceCollection services) =>
        services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter(ApplianceMetrics.Name).AddPrometheusExporter(prometheus => prometheus.ScopeInfoEnabled = false));

    public static void MapMetrics(this IEndpointRouteBuilder app)
    {
        app.MapPrometheusScrapingEndpoint("/metrics");
        // Why it is not ready is for those who sign in: provisioner doctor.
        app.MapGet("/readyz", async (Readiness readiness, CancellationToken cancellation) => await readiness.IsReadyAsync(cancellation)
            ? Results.Text("ready\n") : Results.Text("not ready\n", statusCode: StatusCodes.Status503ServiceUnavailable));
    }

    /// <summary>Each event that is stored is counted.</summary>
    private sealed class Counting(EventLog log, ApplianceMetrics metrics) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            log.Stored += metrics.Count;
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken)
        {
            log.Stored -= metrics.Count;
            return Task.CompletedTask;
        }
    }
}

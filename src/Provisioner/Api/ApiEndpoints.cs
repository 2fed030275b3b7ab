using Provisioner.Backup;
using Provisioner.Doctor;
using Provisioner.NetBox;
using Provisioner.Support;
using Provisioner.Webhooks;

namespace Provisioner.Api;

/// <summary>The REST API, version 1: the same on the unix socket and on the secure plane. The boot plane has a server of its own.</summary>
internal static class ApiEndpoints
{
    /// <summary>What only one of the two has: the socket gives out the set-up link, the secure plane signs people in.</summary>
    public static void MapApi(this IEndpointRouteBuilder app, bool isLocal)
    {
        var api = app.MapGroup("/api/v1");
        if (isLocal)
            api.MapSetupLink();
        else
            api.MapSessions();
        api.MapPeople();
        api.MapResources();
        api.MapHosts();
        api.MapRecords();
        api.MapStates();
        api.MapCertificates();
        api.MapEvents();
        api.MapBoot();
        api.MapImages();
        api.MapArtifacts();
        api.MapAws();
        api.MapNodes();
        api.MapUpgrades();
        api.MapAudit();
        api.MapStatus();
        api.MapMachine();
        api.MapBackup();
        api.MapDoctor();
        api.MapSupport();
        api.MapWebhooks();
        api.MapNetBox();
    }
}

#!/usr/bin/perl
# nginx logs one error an hour and tenant when more than a tenth of a tenant's users, and at least ten, were deactivated or
# deleted within an hour.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;

# Level error, as in Debian's configuration: the message must be visible there.
my $t = Scim->new(workers => 2, http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my %token = (acme => $t->seed('acme'));
$token{globex} = $t->token($t->tenant('globex'));
$t->start->served('/scim/v2/Users', token => $token{acme});

sub patch { return { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => [@_] } }
sub create {
    my ($tenant, $count) = @_;
    return map {
        my $r = $t->request(POST => '/scim/v2/Users', token => $token{$tenant}, json => Scim::user("u$_"));
        $r->{status} == 201 or die "create: $r->{status} $r->{body}";
        $r->{json}{id};
    } 1 .. $count;
}
sub deactivate {
    my ($tenant, @ids) = @_;
    for (@ids) {
        my $r = $t->request(PATCH => "/scim/v2/Users/$_", token => $token{$tenant},
            json => patch({ op => 'replace', path => 'active', value => JSON::PP::false }));
        $r->{status} == 200 or die "deactivate: $r->{status} $r->{body}";
    }
    return;
}
sub warnings { return grep /deactivated or deleted within an hour/, split /^/, $t->log }

my @acme = create('acme', 30);
my @globex = create('globex', 11);
deactivate('acme', splice @acme, 0, 5);
for (splice @acme, 0, 4) { $t->request(DELETE => "/scim/v2/Users/$_", token => $token{acme}) }
is scalar(warnings()), 0, 'nine users are not worth a warning';
deactivate('acme', shift @acme);
ok $t->wait_log(qr/within an hour/), 'the tenth user that is deactivated or deleted causes a warning';
like +(warnings())[0],
    qr/ \[error\] \d+#\d+: scim: 10 of 30 users of tenant "acme" were deactivated or deleted within an hour; if that is not intended, stop the provisioning and check the assignments and the scope in the identity provider; "scimctl log --tenant acme" lists the changes$/,
    'the warning has level error, and names the numbers, the tenant and what to check';
deactivate('acme', splice @acme, 0, 10);
is scalar(warnings()), 1, 'there is one warning an hour, from whichever worker';
deactivate('globex', @globex);
ok $t->wait_log(qr/10 of 11 users of tenant "globex"/), 'each tenant has a warning of its own';
is scalar(warnings()), 2, 'there is one warning of each tenant';
my ($exit, $out) = $t->scimctl('verify');
is $exit, 0, 'verify finds no problem with the counts' or diag $out;

$t->finish;

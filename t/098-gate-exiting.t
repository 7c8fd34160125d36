#!/usr/bin/perl
# A worker process that is exiting only reads a store that it opens again: it decides about its open requests, but neither
# declares the schemas of its configuration nor waits for the write lock.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Streams;

my $app = Scim::Streams::application();
my $http = 'scim_store main %%DIR%%/store size=64m;';
my $t = Scim->new(http => "$http scim_schema %%DIR%%/acme.json;", server => <<"EOS",
    scim_subject \$http_x_remote_user tenant=acme trusted;
    scim_recheck 1s;
    location /scim/v2/ { scim main; }
    location / {
        scim_require active;
        proxy_pass http://127.0.0.1:$app->{port};
        proxy_http_version 1.1;
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection \$http_connection;
    }
EOS
    expect_log => [qr/its data.mdb was (?:removed|replaced)/, qr/locations answer 503/]);
my $urn = 'urn:acme:params:scim:schemas:extension:acme:2.0:User';
$t->write_file('acme.json', $Scim::json->encode({ id => $urn, attributes => [{ name => 'badge' }] }));
my $token = $t->seed('acme');
$t->start->served('/scim/v2/Users', token => $token);
$t->request(POST => '/scim/v2/Users', token => $token, json => Scim::user('ada', active => JSON::PP::true))->{status} == 201 or die 'POST';
my $stream = Scim::Streams->open($t->port(0), GET => '/app/ws', ['X-Remote-User' => 'ada']);
ok $t->wait_for(sub { $stream->status == 101 }), 'a user has a WebSocket';

# A store without the schema, in which the user does not exist.
my ($other, $lock) = ("$t->{dir}/other");
{
    local $t->{store} = $other;
    $token = $t->seed('acme');
    $lock = $t->hold_lock;
}
my ($old) = $t->workers;
$t->conf(undef, http => $http);
$t->reload;
ok $stream->echoes($t, 'ping'), 'the WebSocket stays after a reload';
rename $t->{store}, "$t->{store}.old" or die "rename: $!";
rename $other, $t->{store} or die "rename: $!";
ok $t->wait_for(sub { !$stream->is_open }), 'the exiting worker process decides by a store that has replaced the other one';
ok $t->wait_for(sub { $t->_gone($old) }), 'it exits while another process holds the write lock';
$t->release($lock);
is $t->request(POST => '/scim/v2/Users', token => $token, json => Scim::user('eve'))->{status}, 201, 'the new worker process writes';
is $t->request(GET => "/scim/v2/Schemas/$urn", token => $token)->{status}, 404, 'the schema was not declared';
undef $app;
$t->finish;
